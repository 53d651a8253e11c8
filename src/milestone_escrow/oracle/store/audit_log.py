"""The log of everything worth an auditor's question: each entry commits to the one before.

An entry's hash is SHA-256 of the canonical JSON (sorted keys, no spaces) of its number, time,
actor, action, subject, data and the previous entry's hash. Removing or changing an entry breaks
the chain; cutting off its end is found by whoever kept a later hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, desc, insert, or_, select

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import serialize
from milestone_escrow.oracle.store.types import dumps

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry; `at` is Unix seconds by the clock of the machine that wrote it."""

    seq: int
    at: int
    actor: str
    action: str
    subject: str
    data: dict[str, Any]
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Act:
    """Something to be recorded; `subject` is what it is about: an agreement's id as 0x and hex,
    with `/milestone` where it concerns one."""

    actor: str
    action: str
    subject: str
    data: Mapping[str, object]


def record(
    connection: Connection, now: int, actor: str, action: str, subject: str, **data: object
) -> bytes:
    """Append an entry in the caller's transaction; returns its hash. See `Act`."""
    return record_all(connection, now, [Act(actor, action, subject, data)])


def record_all(connection: Connection, now: int, acts: Iterable[Act]) -> bytes:
    """Append an entry for each act, in order; returns the hash that the log then ends with."""
    serialize(connection, "audit")
    last = connection.execute(
        select(t.audit.c.seq, t.audit.c.hash).order_by(desc(t.audit.c.seq)).limit(1)
    ).first()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    rows: list[dict[str, Any]] = []
    for act in acts:
        seq += 1
        data = dict(act.data)
        digest = _digest(seq, now, act.actor, act.action, act.subject, data, previous)
        rows.append(
            {
                "seq": seq,
                "at": now,
                "actor": act.actor,
                "action": act.action,
                "subject": act.subject,
                "data": data,
                "previous": previous,
                "hash": digest,
            }
        )
        previous = digest
    if rows:
        connection.execute(insert(t.audit), rows)
    return previous


def entries(connection: Connection, *, since: int = 0, subject: str = "") -> Iterator[AuditEntry]:
    """Entries after number `since`, in order; of one `subject` where it is given."""
    query = select(t.audit).where(t.audit.c.seq > since).order_by(t.audit.c.seq)
    if subject:
        query = query.where(t.audit.c.subject == subject)
    for row in connection.execute(query):
        yield AuditEntry(**row._mapping)


def latest(connection: Connection, count: int, *, subject: str = "") -> list[AuditEntry]:
    """The last `count` entries in order; those of one `subject`, or of its milestones."""
    query = select(t.audit).order_by(desc(t.audit.c.seq)).limit(count)
    if subject:
        of_it = t.audit.c.subject.startswith(f"{subject}/", autoescape=True)
        query = query.where(or_(t.audit.c.subject == subject, of_it))
    return [AuditEntry(**row._mapping) for row in reversed(connection.execute(query).all())]


def verify(connection: Connection) -> AuditEntry | None:
    """Follow the whole chain; returns its last entry, None where there is none.

    Raises:
        StoreError: an entry is missing or was changed; names the first such.
    """
    last: AuditEntry | None = None
    for entry in entries(connection):
        seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
        if entry.seq != seq:
            raise StoreError(f"the audit log has no entry {seq}: it goes on with {entry.seq}")
        wanted = _digest(
            seq, entry.at, entry.actor, entry.action, entry.subject, entry.data, previous
        )
        if entry.previous != previous or entry.hash != wanted:
            raise StoreError(f"entry {seq} of the audit log was changed after it was written")
        last = entry
    return last


def subject_of(agreement_id: bytes, milestone: int | None = None) -> str:
    """An agreement, or one of its milestones, as the log names it."""
    name = "0x" + agreement_id.hex()
    return name if milestone is None else f"{name}/{milestone}"


def _digest(
    seq: int,
    at: int,
    actor: str,
    action: str,
    subject: str,
    data: dict[str, Any],
    previous: bytes,
) -> bytes:
    fields = {
        "seq": seq,
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "data": data,
        "previous": "0x" + previous.hex(),
    }
    return sha256(dumps(fields).encode("utf-8", "surrogatepass")).digest()
