"""Agreements that are being written, version after version, by whoever has their link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.api.sessions import hashed, new_token
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.terms import DAY

PREFIX = "escrow_d_"
KEPT = 180 * DAY
MAX_TEXT = 200_000
MAX_VERSIONS = 500


@dataclass(frozen=True, slots=True)
class DraftVersion:
    """One version; `saved_by` is an account, or "" for somebody who was not signed in."""

    version: int
    text: str
    saved_by: str
    saved_at: int


def start(connection: Connection, text: str, by: str, now: int) -> str:
    """Keep a first version; returns the token, which is shown this once. Old ones are swept out."""
    newest = (
        select(t.drafts.c.token_hash)
        .group_by(t.drafts.c.token_hash)
        .having(func.max(t.drafts.c.saved_at) < now - KEPT)
    )
    connection.execute(delete(t.drafts).where(t.drafts.c.token_hash.in_(newest)))
    token = new_token(PREFIX)
    _insert(connection, hashed(token), 1, text, by, now)
    return token


def save(connection: Connection, token: str, text: str, by: str, now: int) -> int:
    """Keep the next version, unless nothing was changed; returns its number.

    Raises:
        UsageError: there is no such draft, or it has too many versions.
    """
    last = versions(connection, token)[-1]
    if last.text == text:
        return last.version
    if last.version >= MAX_VERSIONS:
        raise UsageError(
            f"the draft has {last.version} versions, at most {MAX_VERSIONS} are kept",
            hint="start a new one from this text",
        )
    _insert(connection, hashed(token), last.version + 1, text, by, now)
    return last.version + 1


def versions(connection: Connection, token: str) -> Sequence[DraftVersion]:
    """All versions, the first one first.

    Raises:
        UsageError: there is no such draft.
    """
    rows = connection.execute(
        select(t.drafts).where(t.drafts.c.token_hash == hashed(token)).order_by(t.drafts.c.version)
    ).all()
    if not rows:
        raise UsageError("there is no such draft", hint="ask for its link again")
    return [DraftVersion(row.version, row.text, row.saved_by, row.saved_at) for row in rows]


def _insert(
    connection: Connection, token_hash: bytes, version: int, text: str, by: str, now: int
) -> None:
    if len(text) > MAX_TEXT:
        raise UsageError(
            f"the draft has {len(text):,} letters, at most {MAX_TEXT:,}",
            hint="put long texts into an attachment",
        )
    row = {
        "token_hash": token_hash,
        "version": version,
        "text": text,
        "saved_by": by,
        "saved_at": now,
    }
    connection.execute(insert(t.drafts).values(row))
