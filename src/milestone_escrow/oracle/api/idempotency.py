"""Idempotency-Key: a request that is sent again gets the first one's answer, and does nothing.

The claim of the key, the work and its answer are one transaction. Two that race meet in the
database: the second waits for the first, and finds its answer. A refusal leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, insert_new

KEEP_SECONDS = 86_400
KEY_PATTERN = r"^[\x21-\x7e]{1,200}$"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request led to: the status and the JSON text of the body."""

    status: int
    body: str
    replayed: bool = False


def fingerprint(*parts: str | bytes | int | None) -> bytes:
    """What makes a request this request: method, path and content, in this order."""
    texts = [part.hex() if isinstance(part, bytes) else part for part in parts]
    return hashlib.sha256(json.dumps(texts).encode()).digest()


def once(
    store: Store,
    key: str | None,
    caller: str,
    asked: bytes,
    now: int,
    work: Callable[[Connection], Answer],
) -> Answer:
    """Do `work` in a transaction, or answer as it was answered before.

    `caller` is an account or address, so that nobody meets another's keys.

    Raises:
        Problem: the key was used for another request.
    """
    with store.transaction() as connection:
        if key is None:
            return work(connection)
        connection.execute(delete(t.requests).where(t.requests.c.at < now - KEEP_SECONDS))
        claim = {"key": key, "account": caller, "fingerprint": asked, "at": now}
        mine = (t.requests.c.key == key) & (t.requests.c.account == caller)
        if not insert_new(connection, t.requests, claim, "key", "account"):
            before = connection.execute(select(t.requests).where(mine)).one()
            if before.fingerprint != asked:
                raise Problem(
                    422,
                    "the Idempotency-Key was used for another request",
                    kind="key-reused",
                    hint="use a new key for each request, and the same only to repeat it",
                )
            return Answer(before.status, before.body, replayed=True)
        answer = work(connection)
        connection.execute(
            update(t.requests).where(mine).values(status=answer.status, body=answer.body)
        )
        return answer
