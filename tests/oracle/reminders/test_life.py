"""A whole life of an agreement with restarts, kills and reorganisations: each thing told once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.oracle.reminders.dispatch import LEASE_SECONDS
from milestone_escrow.oracle.reminders.happenings import AT_ONCE
from milestone_escrow.oracle.store import audit_log, failpoints
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status, end
from tests.oracle.reminders.chronicle import DAY, DOMAIN, Chronicle
from tests.oracle.reminders.conftest import Desk, Notebook

MOMENTS = ("claimed", "marked", "accepted", "recorded")


class Killed(BaseException):
    """As `kill -9`."""


class Life:
    """Time passes, people act, the chain reorganises, instances die."""

    def __init__(self, seed: int, bound: BoundAgreement, store: Store) -> None:
        self.random = random.Random(seed)
        self.chronicle = Chronicle(bound, bound.agreement.starts_at + 12 * 3_600)
        self.notebook = Notebook()
        self.store = store
        self.desks = [Desk(store, self.chronicle, self.notebook, owner=n) for n in ("one", "two")]
        self.wall = self.chronicle.time

    def live(self) -> None:
        self.chronicle.wait(1)
        for desk in self.desks:
            desk.round(self.wall)
        self.chronicle.opened()
        for _ in range(25):
            self.random.choice([self.act, self.act, self.wait, self.reorganise])()
            self.look()
        while any(status.holds for status in self.statuses()):
            self.finish()
            self.look()
        self.chronicle.finalize_all()
        for _ in range(3):
            self.wall += LEASE_SECONDS + 1
            for desk in self.desks:
                desk.round(self.wall)

    def statuses(self) -> list[Status]:
        return [state.status for state in self.chronicle.states()]

    def wait(self) -> None:
        self.chronicle.wait(self.random.choice([60, 3_600, DAY, 5 * DAY]))

    def act(self) -> None:
        chronicle, index = self.chronicle, self.random.randrange(5)
        state = chronicle.states()[index]
        milestone = chronicle.bound.milestones[index]
        if state.status is Status.UNFUNDED:
            if milestone.is_deposit or chronicle.time < milestone.deadline:
                chronicle.funded(index)
        elif state.status.holds and chronicle.time >= end(milestone, state):
            chronicle.finalized(index)
        elif state.status is Status.FUNDED:
            self.random.choice([chronicle.accepted, chronicle.rejected, chronicle.approved])(index)
        elif state.status in (Status.RELEASE_PENDING, Status.REFUND_PENDING):
            chronicle.disputed(index)
        elif state.status.holds:
            chronicle.ruled(index, milestone.amount, 0)

    def finish(self) -> None:
        for index, state in enumerate(self.chronicle.states()):
            if state.status.holds:
                until = end(self.chronicle.bound.milestones[index], state)
                self.chronicle.wait(max(until - self.chronicle.time, 1))
                self.chronicle.finalized(index)

    def reorganise(self) -> None:
        """The same things happen again a little later: they were signed and sent."""
        depth = self.random.randint(1, self.chronicle.depth)
        opening = next(i for i, (_, events) in enumerate(self.chronicle.blocks, 1) if events)
        undone = self.chronicle.undo(min(depth, self.chronicle.head - opening))
        if self.random.random() < 0.5:
            self.look()
        self.chronicle.redo(undone)

    def look(self) -> None:
        """One of the instances looks; it may be killed, and another process started."""
        place = self.random.randrange(2)
        desk = self.desks[place]
        self.wall = max(self.wall + self.random.choice([1, 60, LEASE_SECONDS + 1]), 0)
        if self.random.random() < 0.4:
            left = self.random.randrange(1, 6)
            moment = f"reminders.{self.random.choice(MOMENTS)}"

            def hook(step: str) -> None:
                nonlocal left
                left -= step == moment
                if not left:
                    raise Killed

            failpoints.set_hook(hook)
        try:
            desk.round(self.wall)
        except Killed:
            owner = f"{desk.owner}'"
            self.desks[place] = Desk(self.store, self.chronicle, self.notebook, owner=owner)
        finally:
            failpoints.set_hook(None)


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32))
def test_each_thing_is_told_once_over_a_whole_life(
    seed: int, tmp_path_factory: object, carpets: BoundAgreement
) -> None:
    folder: Path = tmp_path_factory.mktemp("life")  # type: ignore[attr-defined]
    store = Store.open(folder / "oracle.db", DOMAIN)
    life = Life(seed, carpets, store)
    life.live()
    told = life.notebook.got
    first = [delivery for delivery in told if not delivery.again]
    ids = Counter(delivery.id for delivery in first)
    assert max(ids.values()) == 1, "the same thing went out twice"
    notices = Counter(delivery.body["notice"] for delivery in first if delivery.kind not in AT_ONCE)
    assert max(notices.values()) == 1, "the same thing went out under two ids"
    assert "event.reverted" not in life.notebook.kinds
    happened = {delivery.id for delivery in told}
    with store.reading() as connection:
        audit_log.verify(connection)
        sent = Counter(
            e.data["id"] for e in audit_log.entries(connection) if e.action == "reminder.sent"
        )
    assert set(sent) == happened, "the log and the recipients agree on what went out"
    assert max(sent.values()) == 1
    paid = {d.body["notice"] for d in told if d.kind == "milestone.settled"}
    settled = life.statuses().count(Status.SETTLED)
    assert len(paid) == settled
    store.close()
