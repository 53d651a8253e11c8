"""What must be true at the end of every run, whatever went wrong on the way."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, select

from milestone_escrow.chain.contract.events import MilestoneAttested, MilestonePaid
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.reminders.happenings import AT_ONCE
from milestone_escrow.oracle.reminders.situations import situation
from milestone_escrow.oracle.reminders.worth_telling import due, plan
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.simulation.deal import RELAYERS
from tests.oracle.simulation.simulation import Simulation
from tests.oracle.simulation.world import PROVEN

FROM_CHAIN = (t.events, t.agreements, t.milestones)


def check(run: Simulation) -> None:
    """All of it."""
    settled_exactly_once(run)
    no_conflicting_signatures(run)
    store_equals_chain(run)
    nothing_sent_that_was_not_stored(run)
    nothing_left_under_way(run)
    every_reminder_went_out_once(run)
    with run.store.reading() as connection:
        assert audit_log.verify(connection) is not None


def settled_exactly_once(run: Simulation) -> None:
    """What was proven is paid in full, what was not is given back; each in one payment."""
    events = run.ground.escrow.events(run.bound)
    for index, (state, fate) in enumerate(zip(run.states(), run.plan.fates, strict=True)):
        assert state.status is Status.SETTLED, f"milestone {index} ({fate}) is {state.status.name}"
        paid = [e for e in events if isinstance(e, MilestonePaid) and e.milestone == index]
        assert len(paid) == 1, f"milestone {index} was paid {len(paid)} times"
        amount = run.bound.milestones[index].amount
        wanted = (amount, 0) if fate == PROVEN else (0, amount)
        assert (paid[0].to_payee, paid[0].to_buyer) == wanted, f"milestone {index}, {fate}"
        attested = [e for e in events if isinstance(e, MilestoneAttested) and e.milestone == index]
        assert len(attested) == (fate != "silent")


def no_conflicting_signatures(run: Simulation) -> None:
    """The oracle's key never said two things about one milestone, here or in the store."""
    said: dict[tuple[bytes, int, int], set[bytes]] = {}
    for data in run.watcher.signed:
        message: Any = data.message
        assert message["verdict"] == 1, "it accepts or stays silent"
        index = message["milestone"]
        assert message["amount"] == run.bound.milestones[index].amount
        assert run.plan.fates[index] == PROVEN
        place = (message["agreementId"], index, message["issuedAt"])
        said.setdefault(place, set()).add(data.digest())
    assert all(len(digests) == 1 for digests in said.values())
    with run.store.reading() as connection:
        rows = connection.execute(
            select(t.attestations, t.signatures.c.signer).join(
                t.signatures, t.signatures.c.digest == t.attestations.c.digest
            )
        ).all()
    verdicts: dict[tuple[str, int], set[tuple[int, int]]] = {}
    for row in rows:
        place_of = (row.signer, row.milestone)
        verdicts.setdefault(place_of, set()).add((row.verdict, row.amount))
    assert all(len(one) == 1 for one in verdicts.values()), f"contradictions: {verdicts}"


def store_equals_chain(run: Simulation) -> None:
    """As if it had been indexed from the beginning by an honest node."""
    fresh = run.open("fresh.db")
    network, contract = run.ground.network, run.ground.escrow.contract
    Indexer(fresh, run.pool, network, contract).catch_up(run.now)
    Indexer(run.store, run.pool, network, contract).catch_up(run.now)
    for table in FROM_CHAIN:
        assert _rows(run.store, table) == _rows(fresh, table), table.name
    with run.store.reading() as one, fresh.reading() as other:
        assert viewing.head(one) == viewing.head(other)
    fresh.close()


def nothing_sent_that_was_not_stored(run: Simulation) -> None:
    """Signed bytes and their nonce are on disk before any node sees them."""
    with run.store.reading() as connection:
        stored = set(connection.execute(select(t.attempts.c.raw)).scalars())
    senders = {run.ground.escrow.chain.accounts[number - 1] for number in RELAYERS}
    for raw in run.pool.seen:
        if run.pool._decode(raw).sender in senders:
            assert raw in stored


def nothing_left_under_way(run: Simulation) -> None:
    """Every intent came to an end, and none of them by failing."""
    with run.store.reading() as connection:
        stages = Counter(connection.execute(select(t.intents.c.state)).scalars())
    assert not set(stages) & {"pending", "sent", "mined"}, f"intents are left: {dict(stages)}"


def every_reminder_went_out_once(run: Simulation) -> None:
    """One id, one delivery; a second only where a process died while sending, and says so."""
    got = run.recipient.got
    first = Counter(one.id for one in got if not one.again)
    assert max(first.values(), default=1) == 1, "the same thing was told twice"
    notices = Counter(
        one.body["notice"] for one in got if one.kind not in AT_ONCE and not one.again
    )
    notices.subtract(one.body["notice"] for one in got if one.kind == "event.reverted")
    assert max(notices.values(), default=1) <= 1, "the same thing was told under two ids"
    stand = {(e.place.block, e.place.transaction) for e in run.ground.escrow.events(run.bound)}
    for one in got:
        if one.kind.startswith("milestone.") and one.kind not in AT_ONCE:
            where = one.body["facts"]["chain"]
            place = (where["block"], where["transaction"])
            assert place in stand, f"{one.kind} was told of a block that was undone"
    with run.store.reading() as connection:
        rows = connection.execute(select(t.reminders)).all()
        head = viewing.head(connection)
        assert head is not None
        seen = situation(connection, run.bound.id, head.final_number)
        since = told_since(connection)
        logged = Counter(
            entry.data["id"]
            for entry in audit_log.entries(connection)
            if entry.action == "reminder.sent"
        )
    assert seen is not None
    states = Counter(row.state for row in rows)
    assert not set(states) - {"sent", "cancelled"}, f"reminders are left: {dict(states)}"
    assert set(logged) == {one.id for one in got}
    assert max(logged.values(), default=1) == 1
    told = {row.body["notice"] for row in rows if row.state == "sent"}
    for notice in due(plan(seen, head.time), head.time, since=since):
        assert notice.key in told, f"nobody was told: {notice.subject}"


def told_since(connection: Connection) -> int:
    """From when on what happens is told; earlier is history."""
    value = select(t.meta.c.value).where(t.meta.c.key == "reminders_since")
    return int(connection.execute(value).scalar_one())


def _rows(store: Store, table: Any) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        keys = list(table.primary_key.columns)
        return [tuple(row) for row in connection.execute(select(table).order_by(*keys))]
