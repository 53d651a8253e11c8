"""Each thing is told once: across rounds, restarts, instances and reorganisations."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import select

from milestone_escrow.oracle.reminders.delivery import DeliveryError
from milestone_escrow.oracle.reminders.dispatch import LEASE_SECONDS, MAX_TRIES, send_due
from milestone_escrow.oracle.reminders.journal import LogChannel
from milestone_escrow.oracle.reminders.planner import Planner
from milestone_escrow.oracle.reminders.worth_telling import alarm
from milestone_escrow.oracle.store import audit_log, failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from tests.oracle.reminders.chronicle import DAY, Chronicle
from tests.oracle.reminders.conftest import Desk, Notebook


class Killed(BaseException):
    """As `kill -9`: nothing after it runs."""


def kill_at(name: str) -> None:
    def hook(step: str) -> None:
        if step == name:
            failpoints.set_hook(None)
            raise Killed

    failpoints.set_hook(hook)


def states(store: Store) -> dict[str, str]:
    with store.reading() as connection:
        return {row.kind: row.state for row in connection.execute(select(t.reminders))}


def test_tells_each_thing_once_however_often_it_looks(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(0, 1)
    for _ in range(4):
        chronicle.wait(60)
        desk.round()
        desk.restart()
    assert sorted(notebook.kinds) == [
        "agreement.opened", "milestone.funded", "milestone.funded", "milestone.released",
        "milestone.settled",
    ]  # fmt: skip


def test_two_instances_share_the_rows(
    any_store: Store, chronicle: Chronicle, notebook: Notebook
) -> None:
    desks = [Desk(any_store, chronicle, notebook, owner=name) for name in ("one", "two")]
    chronicle.wait(1)
    for desk in desks:
        desk.round()
    chronicle.opened()
    for _ in range(3):
        for desk in desks:
            desk.round()
    assert notebook.kinds == ["agreement.opened"]


def test_what_happened_before_the_first_round_is_not_retold(
    store: Store, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.finalize_all()
    chronicle.wait(7_201)
    Desk(store, chronicle, notebook).round()
    assert notebook.kinds == []


def test_a_clock_that_was_fast_at_the_first_round_loses_nothing(
    store: Store, chronicle: Chronicle, notebook: Notebook
) -> None:
    desk = Desk(store, chronicle, notebook)
    chronicle.wait(1)
    chronicle.write(store)
    desk.planner.round(chronicle.time + 3_600, chronicle.time + 3_600)
    chronicle.opened()
    desk.round()
    assert notebook.kinds == ["agreement.opened"]


def test_what_happened_while_the_service_was_down_is_told(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    chronicle.wait(30 * DAY)
    chronicle.finalize_all()
    desk.restart()
    desk.round()
    assert "milestone.funded" in notebook.kinds


def test_a_due_date_is_told_when_it_comes_near(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    due_at = chronicle.bound.agreement.milestones[1].due_at
    for moment in (due_at - 8 * DAY, due_at - 6 * DAY, due_at - 5 * DAY, due_at - DAY + 1):
        chronicle.wait(moment - chronicle.time)
        desk.round()
    first, second = notebook.texts("due")
    assert "(in 6 days)" in first
    assert "(in 23 hours)" in second


def test_a_status_that_was_undone_and_redone_is_told_once(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    chronicle.finalize_all()
    chronicle.accepted(1)
    desk.round()
    undone = chronicle.undo(1)
    desk.round()
    chronicle.redo(undone, later=30)
    desk.round()
    chronicle.finalize_all()
    desk.round()
    assert notebook.kinds.count("milestone.accepted") == 1
    assert "event.reverted" not in notebook.kinds


def test_a_status_that_was_undone_for_good_is_taken_back_once(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    chronicle.finalize_all()
    chronicle.accepted(1)
    desk.round()
    chronicle.undo(1)
    desk.round()
    assert "event.reverted" not in notebook.kinds
    for _ in range(5):
        chronicle.wait(12)
        desk.round()
        desk.restart()
    assert notebook.kinds.count("event.reverted") == 1
    (taken_back,) = [delivery for delivery in notebook.got if delivery.kind == "event.reverted"]
    (told,) = [delivery for delivery in notebook.got if delivery.kind == "milestone.accepted"]
    assert taken_back.body["facts"] == {"reverted": "milestone.accepted", "id": told.id}
    assert taken_back.body["milestone"]["key"] == "manufactured"


def test_what_was_taken_back_and_happens_after_all_is_told_anew(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    chronicle.finalize_all()
    chronicle.accepted(1)
    desk.round()
    undone = chronicle.undo(1)
    for _ in range(4):
        chronicle.wait(12)
        desk.round()
    chronicle.redo(undone)
    for _ in range(4):
        desk.round()
        chronicle.wait(12)
    told = [k for k in notebook.kinds if k in ("milestone.accepted", "event.reverted")]
    assert told == [
        "milestone.accepted", "event.reverted", "milestone.accepted",
    ]  # fmt: skip
    assert len({delivery.id for delivery in notebook.got}) == len(notebook.got)


def test_an_opening_that_was_undone_for_good_is_taken_back(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    desk.round()
    chronicle.undo(1)
    desk.restart()
    for _ in range(4):
        chronicle.wait(12)
        desk.round()
    assert notebook.kinds == ["agreement.opened", "event.reverted"]


def test_money_that_a_reorganisation_takes_back_was_never_told(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    desk.round()
    chronicle.undo(1)
    for _ in range(4):
        chronicle.wait(12)
        desk.round()
    assert notebook.kinds == ["agreement.opened"]


def test_a_reminder_that_things_have_overtaken_is_not_sent(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    chronicle.funded(1)
    desk.round()
    due_at = chronicle.bound.agreement.milestones[1].due_at
    chronicle.wait(due_at - 2 * DAY - chronicle.time)
    notebook.failing = [DeliveryError("the server sleeps") for _ in range(20)]
    desk.round()
    assert states(desk.store)["due"] == "due"
    chronicle.approved(1)
    notebook.failing = []
    chronicle.wait(DAY)
    desk.round()
    assert states(desk.store)["due"] == "cancelled"
    assert "due" not in notebook.kinds


def test_a_failure_is_tried_again_ever_later_and_reported_in_the_end(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    notebook.failing = [DeliveryError("the server sleeps") for _ in range(MAX_TRIES)]
    desk.round()
    assert desk.round().later == 0, "at once it is not tried again"
    wall, tried = chronicle.time, 1
    while notebook.failing:
        wall += 7 * 3_600
        tried += desk.round(wall).later
    assert tried == MAX_TRIES - 1
    assert states(desk.store)["agreement.opened"] == "failed"
    with desk.store.reading() as connection:
        (entry,) = [e for e in audit_log.entries(connection) if e.action == "reminder.failed"]
    assert entry.data["reason"] == "the server sleeps"


def test_a_refusal_that_lasts_is_not_repeated(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    notebook.failing = [DeliveryError("no such mailbox", lasting=True)]
    assert desk.round().failed == 1
    assert desk.round(chronicle.time + DAY).sent == 0


@pytest.mark.parametrize("moment", ["claimed", "marked", "accepted"])
def test_killed_while_sending_another_instance_sends_it(
    any_store: Store, chronicle: Chronicle, notebook: Notebook, moment: str
) -> None:
    one = Desk(any_store, chronicle, notebook, owner="one")
    two = Desk(any_store, chronicle, notebook, owner="two")
    chronicle.wait(1)
    one.round()
    two.round()
    chronicle.opened()
    kill_at(f"reminders.{moment}")
    with pytest.raises(Killed):
        one.round()
    assert two.round().sent == 0, "the lease still stands"
    wall = chronicle.time + LEASE_SECONDS + 1
    assert two.round(wall).sent == 1
    assert two.round(wall + DAY).sent == 0
    times = {"claimed": 1, "marked": 1, "accepted": 2}[moment]
    assert len(notebook.got) == times
    assert len({delivery.id for delivery in notebook.got}) == 1
    assert notebook.got[-1].again == (moment != "claimed")


def test_an_instance_that_lost_its_lease_sends_nothing(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    """It was suspended between claiming and sending, and another has taken over."""
    chronicle.opened()
    chronicle.write(desk.store)
    desk.planner.round(chronicle.time, chronicle.time)
    other = Desk(desk.store, chronicle, notebook, owner="two")
    clock = [chronicle.time]

    def suspend(step: str) -> None:
        if step == "reminders.claimed":
            failpoints.set_hook(None)
            clock[0] += LEASE_SECONDS + 1
            assert other.round(clock[0]).sent == 1

    failpoints.set_hook(suspend)
    late = send_due(desk.store, [notebook], "one", lambda: clock[0], now=chronicle.time)
    assert (late.sent, late.later) == (0, 1)
    assert len(notebook.got) == 1


def test_everything_sent_stands_in_the_audit_log(
    desk: Desk, chronicle: Chronicle, notebook: Notebook
) -> None:
    chronicle.opened()
    desk.round()
    with desk.store.reading() as connection:
        assert audit_log.verify(connection) is not None
        (entry,) = [e for e in audit_log.entries(connection) if e.action == "reminder.sent"]
    assert entry.data["id"] == notebook.got[0].id
    assert entry.subject == audit_log.subject_of(chronicle.bound.id)


def test_what_is_about_the_service_goes_out_too(desk: Desk, notebook: Notebook) -> None:
    account = desk.chronicle.bound.terms.buyer
    for hour in range(3):
        wall = desk.chronicle.time + 60 * hour
        desk.planner.tell([alarm("low_gas", account, "nearly empty", wall)], wall)
    desk.round()
    assert notebook.kinds == ["low_gas"]


def test_the_log_gets_one_line_with_the_id(
    store: Store, chronicle: Chronicle, caplog: pytest.LogCaptureFixture
) -> None:
    channel = LogChannel()
    planner = Planner(store, [channel])
    chronicle.wait(1)
    chronicle.write(store)
    planner.round(chronicle.time, chronicle.time)
    chronicle.opened()
    chronicle.write(store)
    planner.round(chronicle.time, chronicle.time)
    with caplog.at_level(logging.INFO, "milestone_escrow.oracle.reminders"):
        send_due(store, [channel], "one", lambda: chronicle.time)
    (record,) = caplog.records
    assert record.getMessage() == "Both sides have agreed: 240,000.00 USDC in 5 milestones."
    assert record.fields["kind"] == "agreement.opened"  # type: ignore[attr-defined]
