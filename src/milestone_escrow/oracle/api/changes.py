"""What changed since a place: chain events and entries of the audit log, as one stream.

A change says what to look at again, not what is true now. A place is the last event and the last
entry told; where the chain has undone that event, the reader is told to look at everything again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, desc, func, or_, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import cursors
from milestone_escrow.oracle.api.viewers import Viewer, unopened
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.eip712 import Address

STREAM = "stream"
MOST = 500


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """How far a reader is. `mark` is the beginning of the block's hash of the last event, so that
    an undone one is noticed."""

    block: int = -1
    log_index: int = -1
    mark: str = ""
    entry: int = 0

    def __str__(self) -> str:
        return cursors.encode(STREAM, (self.block, self.log_index, self.mark, self.entry))

    @classmethod
    def read(cls, text: str) -> StreamPlace:
        """The place in a `Last-Event-ID`.

        Raises:
            Problem: it is none.
        """
        block, log_index, mark, entry = cursors.decode(STREAM, text, int, int, str, int)
        return cls(int(block), int(log_index), str(mark), int(entry))


@dataclass(frozen=True, slots=True)
class StreamedChange:
    """One thing to look at again.

    Attributes:
        kind: the event's name, "AgreementOpened", or the log's action, "evidence.added".
        agreement_id: None where it concerns no agreement, or all of them.
        people: who may be told; None for everybody.
        place: where a reader is who has been told this.
    """

    kind: str
    agreement_id: bytes | None
    milestone: int | None
    at: int
    people: frozenset[Address] | None
    place: StreamPlace

    def is_for(self, viewer: Viewer, only: bytes | None) -> bool:
        if only is not None and self.agreement_id not in (None, only):
            return False
        if self.people is None or viewer.is_operator:
            return True
        if viewer.link is not None:
            return viewer.link == self.agreement_id
        return viewer.account is not None and viewer.account in self.people

    def message(self) -> str:
        """As a server-sent event."""
        agreement = "0x" + self.agreement_id.hex() if self.agreement_id else None
        data = {
            "kind": self.kind,
            "agreement": agreement,
            "milestone": self.milestone,
            "at": self.at,
        }
        name = "reset" if self.kind == "reset" else "change"
        return f"id: {self.place}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


def present(connection: Connection) -> StreamPlace:
    """The place of a reader who knows everything up to now."""
    last = connection.execute(
        select(t.events.c.block, t.events.c.log_index, t.events.c.block_hash)
        .order_by(desc(t.events.c.block), desc(t.events.c.log_index))
        .limit(1)
    ).first()
    entry = connection.execute(select(func.max(t.audit.c.seq))).scalar() or 0
    if last is None:
        return StreamPlace(entry=entry)
    return StreamPlace(last.block, last.log_index, _mark(last.block_hash), entry)


def since(connection: Connection, place: StreamPlace, now: int) -> Sequence[StreamedChange]:
    """What changed after a place, in order. A reader who is too far behind, or who was told
    something that the chain has undone, gets one "reset" instead."""
    if _undone(connection, place):
        return [StreamedChange("reset", None, None, now, None, present(connection))]
    changes: list[StreamedChange] = []
    for row in _events(connection, place):
        place = StreamPlace(row.block, row.log_index, _mark(row.block_hash), place.entry)
        changes.append(
            StreamedChange(row.name, row.agreement_id, row.milestone, row.time, None, place)
        )
    entries = _entries(connection, place)
    people = _people(connection, {_subject(row.subject)[0] for row in entries})
    for row in entries:
        place = StreamPlace(place.block, place.log_index, place.mark, row.seq)
        agreement_id, milestone = _subject(row.subject)
        told = people.get(agreement_id or b"", frozenset())
        changes.append(StreamedChange(row.action, agreement_id, milestone, row.at, told, place))
    if len(changes) > MOST:
        return [StreamedChange("reset", None, None, now, None, present(connection))]
    return changes


def _undone(connection: Connection, place: StreamPlace) -> bool:
    if place.block < 0:
        return False
    found = connection.execute(
        select(t.events.c.block_hash)
        .where(t.events.c.block == place.block)
        .where(t.events.c.log_index == place.log_index)
    ).scalar()
    return found is None or _mark(found) != place.mark


def _events(connection: Connection, place: StreamPlace) -> Sequence[Any]:
    table = t.events.c
    return connection.execute(
        select(t.events)
        .where(
            or_(
                table.block > place.block,
                and_(table.block == place.block, table.log_index > place.log_index),
            )
        )
        .order_by(table.block, table.log_index)
        .limit(MOST + 1)
    ).all()


def _entries(connection: Connection, place: StreamPlace) -> Sequence[Any]:
    table = t.audit.c
    return connection.execute(
        select(table.seq, table.at, table.action, table.subject)
        .where(table.seq > place.entry)
        .order_by(table.seq)
        .limit(MOST + 1)
    ).all()


def _people(connection: Connection, ids: set[bytes | None]) -> dict[bytes, frozenset[Address]]:
    wanted = [agreement_id for agreement_id in ids if agreement_id]
    found = {view.id: view.people for view in viewing.agreements(connection, wanted)}
    rest = [agreement_id for agreement_id in wanted if agreement_id not in found]
    known = viewing.documents(connection, rest) if rest else {}
    return found | {key: unopened(signed).people for key, signed in known.items()}


def _subject(text: str) -> tuple[bytes | None, int | None]:
    """The agreement, and milestone, that an entry is about; neither where it is about another."""
    head, _, tail = text.partition("/")
    try:
        agreement_id = bytes.fromhex(head.removeprefix("0x"))
    except ValueError:
        return None, None
    if len(agreement_id) != 32 or not head.startswith("0x"):
        return None, None
    return agreement_id, int(tail) if tail.isascii() and tail.isdigit() else None


def _mark(block_hash: bytes) -> str:
    return block_hash.hex()[:16]
