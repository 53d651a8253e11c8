"""What the store must hold: told from the true chain's logs alone, by another way than the
indexer's own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    Event,
    read_event,
)
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import silence
from tests.oracle.indexer.scripted import CONTRACT, ScriptedChain

Rows = dict[str, Any]


def told(chain: ScriptedChain, upto: int) -> list[tuple[Event, bytes]]:
    found = []
    for number in range(chain.first, upto + 1):
        block = chain.block(number)
        assert block is not None
        for log in block.logs:
            if log["address"] == CONTRACT.lower():
                event = read_event(log, int(block.view["timestamp"], 16))
                assert event is not None
                found.append((event, bytes.fromhex(block.hash[2:])))
    return found


def expected(chain: ScriptedChain, upto: int) -> Rows:
    """The rows after a true block."""
    all_events = told(chain, upto)
    by_agreement: dict[bytes, list[Event]] = defaultdict(list)
    for event, _ in all_events:
        if isinstance(event, AgreementAmended):
            by_agreement[event.replaces].append(event)
        if hasattr(event, "agreement_id"):
            by_agreement[event.agreement_id].append(event)
    agreements, milestones = {}, {}
    for agreement_id, events in by_agreement.items():
        opened = events[0]
        assert isinstance(opened, AgreementOpened)
        orders = [event for event in events if isinstance(event, AgreementAmended)]
        after = [o.agreement_id for o in orders if o.replaces == agreement_id]
        before = [o.replaces for o in orders if o.agreement_id == agreement_id]
        agreements[agreement_id] = (
            opened.buyer, opened.supplier, opened.terms, opened.milestones,
            opened.place.block, opened.place.time, (after or [None])[-1], (before or [None])[-1],
        )  # fmt: skip
        places = _last_changes(events)
        for index, state in enumerate(replay(events).states):
            milestone = opened.milestones[index]
            steps = silence(opened.terms, milestone, state)
            milestones[agreement_id, index] = (
                milestone.amount, milestone.deadline, state,
                steps[0].at if steps else None, *places[index],
            )  # fmt: skip
    block = chain.block(upto)
    assert block is not None
    events_by_place = {(e.place.block, e.place.log_index): (e, h) for e, h in all_events}
    return {
        "cursor": (upto, block.hash),
        "events": events_by_place,
        "agreements": agreements,
        "milestones": milestones,
    }


def _last_changes(events: list[Event]) -> list[tuple[int, int]]:
    """For each milestone where its state last became another."""
    states = replay(events[:1]).states
    places = [events[0].place] * len(states)
    for at in range(2, len(events) + 1):
        before, states = states, replay(events[:at]).states
        for index in range(len(states)):
            if states[index] != before[index]:
                places[index] = events[at - 1].place
    return [(place.block, place.time) for place in places]


def held(store: Store) -> Rows:
    """The same, as the store has it."""
    with store.reading() as connection:
        cursor = connection.execute(select(t.cursor)).one()
        return {
            "cursor": (cursor.number, "0x" + cursor.hash.hex()),
            "events": {
                (row["block"], row["log_index"]): (row_shapes.read_event(row), row["block_hash"])
                for row in connection.execute(select(t.events)).mappings()
            },
            "agreements": _agreements(connection),
            "milestones": {
                (row["agreement_id"], row["milestone"]): (
                    row["amount"], row["deadline"], row_shapes.read_state(row),
                    row["next_at"], row["changed_block"], row["changed_at"],
                )
                for row in connection.execute(select(t.milestones)).mappings()
            },
        }  # fmt: skip


def _agreements(connection: Connection) -> Rows:
    found: Rows = {}
    for row in connection.execute(select(t.agreements)):
        terms = row_shapes.read_terms(row.terms)
        assert (row.arbiter, row.token) == (terms.arbiter, terms.token)
        found[row.agreement_id] = (
            row.buyer, row.supplier, terms, row_shapes.read_milestones(row.milestones),
            row.opened_block, row.opened_at, row.replaced_by, row.amends,
        )  # fmt: skip
    return found


def assert_true(store: Store, chain: ScriptedChain) -> None:
    """The store holds exactly what the true chain says up to the store's cursor, which is on it."""
    found = held(store)
    number, own = found["cursor"]
    block = chain.block(number)
    assert block is not None, f"the cursor is at {number}, the chain only at {chain.head}"
    assert own == block.hash, f"the cursor's block {number} is not the true one"
    wanted = expected(chain, number)
    for name, rows in wanted.items():
        assert found[name] == rows, name
    with store.reading() as connection:
        cursor = connection.execute(select(t.cursor)).one()
        kept = {row.number: row.hash for row in connection.execute(select(t.blocks))}
    assert min(kept, default=number) >= cursor.final_number
    for at in range(max(cursor.final_number, min(kept, default=0)), number + 1):
        block = chain.block(at)
        assert block is not None
        assert "0x" + kept[at].hex() == block.hash
