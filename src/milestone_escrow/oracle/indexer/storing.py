"""What was read, into the store: rows and cursor in one transaction, what was undone taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    CreditWithdrawn,
    Event,
    PayoutCredited,
)
from milestone_escrow.chain.proofs.headers import Header
from milestone_escrow.oracle.indexer import fates
from milestone_escrow.oracle.indexer.bounds import AgreementFilter
from milestone_escrow.oracle.indexer.position import Cursor, Followed
from milestone_escrow.oracle.indexer.reading import FoundEvent, Passage
from milestone_escrow.oracle.indexer.rows import EventRows, chunks, rebuild
from milestone_escrow.oracle.store import audit_log, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.store import insert_all, insert_new, upsert

WIDTH = "indexer.width"
GENESIS = "indexer.genesis"


def followed(connection: Connection) -> Followed:
    """How far this store has come."""
    row = connection.execute(select(t.cursor)).first()
    if row is None:
        return Followed(None, {})
    found = connection.execute(select(t.blocks.c.number, t.blocks.c.hash))
    cursor = Cursor(row.number, row.hash, row.time, row.final_number, row.final_hash)
    return Followed(cursor, {block.number: block.hash for block in found})


def undo(connection: Connection, ancestor: int, cursor: Cursor, now: int) -> None:
    """Take back everything above the block `ancestor`."""
    gone = t.events.c.block > ancestor
    rows = connection.execute(
        select(t.events.c.agreement_id, t.events.c.name, t.events.c.data).where(gone)
    ).all()
    affected = {row.agreement_id for row in rows if row.agreement_id is not None}
    orders = [row.data for row in rows if row.name == AgreementAmended.__name__]
    affected |= {bytes.fromhex(data["replaces"][2:]) for data in orders}
    keys = _milestones(connection, affected)
    connection.execute(delete(t.events).where(gone))
    failpoint("index.events_undone")
    connection.execute(delete(t.blocks).where(t.blocks.c.number > ancestor))
    affected = rebuild(connection, affected)
    failpoint("index.rows_rebuilt")
    connection.execute(
        update(t.attempts).where(t.attempts.c.block > ancestor).values(block=None, block_hash=None)
    )
    fates.judge(connection, keys | _milestones(connection, affected))
    audit_log.record(
        connection,
        now,
        "indexer",
        "chain.undone",
        f"block {cursor.number}",
        hash=cursor.hash,
        back_to=ancestor,
        events=len(rows),
    )
    failpoint("index.undone")


def append(connection: Connection, passage: Passage, watched: AgreementFilter) -> int:
    """Write the events of a passage, and what they come to; returns how many."""
    event_rows = EventRows(connection, everything=watched.everything)
    event_rows.load({i for found in passage.events for i in _ids(found.event)})
    kept = _chosen(passage.events, event_rows, watched)
    for found in kept:
        event_rows.take(found.event)
    if kept:
        rows = [row_shapes.event_row(found.event, found.block_hash) for found in kept]
        insert_all(connection, t.events, rows)
        failpoint("index.events_written")
        event_rows.write()
        event_rows.mend()
        failpoint("index.rows_written")
        fates.judge(connection, event_rows.changed())
    return len(kept)


def advance(
    connection: Connection, headers: Sequence[Header], final: Cursor, *, width: int
) -> None:
    """Move the cursor; `final` says where to. Blocks below the last final one are forgotten."""
    fresh = [
        {"number": h.number, "hash": h.hash, "parent_hash": h.parent, "time": h.time}
        for h in headers
        if h.number >= final.final_number
    ]
    insert_all(connection, t.blocks, fresh)
    connection.execute(delete(t.blocks).where(t.blocks.c.number < final.final_number))
    row: dict[str, Any] = {
        "id": 1,
        "number": final.number,
        "hash": final.hash,
        "time": final.time,
        "final_number": final.final_number,
        "final_hash": final.final_hash,
    }
    upsert(connection, t.cursor, row, "id")
    failpoint("index.cursor_written")
    upsert(connection, t.meta, {"key": WIDTH, "value": str(width)}, "key")


def genesis(connection: Connection) -> bytes | None:
    """The hash of the first block of the chain that this store follows; None where unknown yet."""
    text = connection.execute(select(t.meta.c.value).where(t.meta.c.key == GENESIS)).scalar()
    return bytes.fromhex(text) if text else None


def keep_genesis(connection: Connection, block_hash: bytes) -> None:
    insert_new(connection, t.meta, {"key": GENESIS, "value": block_hash.hex()}, "key")


def known_width(connection: Connection) -> int | None:
    """How many blocks the node last answered for at once."""
    text = connection.execute(select(t.meta.c.value).where(t.meta.c.key == WIDTH)).scalar()
    return int(text) if text else None


def _chosen(
    found: Sequence[FoundEvent], event_rows: EventRows, watched: AgreementFilter
) -> list[FoundEvent]:
    """What belongs to the agreements that are followed, as all do unless some are named."""
    if watched.everything:
        return list(found)
    follows: set[bytes] = set()
    for one in found:
        event = one.event
        if isinstance(event, AgreementOpened) and watched.wants(event):
            follows.add(event.agreement_id)
        elif isinstance(event, AgreementAmended) and (
            watched.names(event) or event_rows.knows(event.replaces) or event.replaces in follows
        ):
            follows.add(event.agreement_id)  # it was opened by the event before
    chosen = [
        one
        for one in found
        if isinstance(one.event, CreditWithdrawn)
        or any(i in follows or event_rows.knows(i) for i in _ids(one.event))
    ]
    # Credits name no agreement; they belong to what paid in the same transaction.
    ours = {one.event.place.transaction for one in chosen}
    credited = [
        one
        for one in found
        if isinstance(one.event, PayoutCredited) and one.event.place.transaction in ours
    ]
    return sorted(
        [*chosen, *credited], key=lambda one: (one.event.place.block, one.event.place.log_index)
    )


def _ids(event: Event) -> tuple[bytes, ...]:
    if isinstance(event, AgreementAmended):
        return event.agreement_id, event.replaces
    agreement_id = getattr(event, "agreement_id", None)
    return () if agreement_id is None else (agreement_id,)


def _milestones(connection: Connection, ids: set[bytes]) -> set[tuple[bytes, int]]:
    return {
        (row.agreement_id, row.milestone)
        for chunk in chunks(ids)
        for row in connection.execute(
            select(t.milestones.c.agreement_id, t.milestones.c.milestone).where(
                t.milestones.c.agreement_id.in_(chunk)
            )
        )
    }
