"""An agreement's dates as a feed that calendars understand."""

from __future__ import annotations

import datetime

import icalendar
import pytest

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.reminders.calendar import calendar
from milestone_escrow.oracle.store.store import Store
from tests.oracle.reminders.chronicle import Chronicle


def read(store: Store, chronicle: Chronicle) -> dict[str, icalendar.Event]:
    chronicle.write(store)
    with store.reading() as connection:
        found = icalendar.Calendar.from_ical(
            calendar(connection, chronicle.bound.id, chronicle.time)
        )
    events = {str(event["uid"]).partition("-7")[0]: event for event in found.walk("VEVENT")}
    assert len(events) == len(found.walk("VEVENT"))
    return events


@pytest.fixture
def running(chronicle: Chronicle) -> Chronicle:
    chronicle.opened()
    chronicle.funded(0, 1, 2, 3)
    return chronicle


def test_shows_due_dates_and_what_silence_does(store: Store, running: Chronicle) -> None:
    events = read(store, running)
    assert set(events) == {f"{name}-{i}" for name in ("due", "end") for i in (1, 2, 3, 4)}
    due = events["due-1"]
    zone = running.bound.agreement.timezone
    assert due["dtstart"].dt.astimezone(zone).date() == datetime.date(2027, 3, 15)
    assert str(due["summary"]) == "PO-2027-0114: 'manufactured' is due"
    assert "72,000.00 USDC back to Nordlicht Teppiche" in str(events["end-1"]["summary"])
    assert str(events["end-4"]["summary"]).endswith("can no longer be funded")


def test_is_the_same_until_something_changes(store: Store, running: Chronicle) -> None:
    running.write(store)
    with store.reading() as connection:
        first = calendar(connection, running.bound.id, running.time)
        later = calendar(connection, running.bound.id, running.time + 86_400)
    assert first == later
    assert b"\r\n" in first


def test_an_entry_that_moves_keeps_its_name_and_counts_up(store: Store, running: Chronicle) -> None:
    before = read(store, running)["end-1"]
    running.accepted(1)
    after = read(store, running)["end-1"]
    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after["dtstart"].dt < before["dtstart"].dt
    running.disputed(1)
    disputed = read(store, running)
    assert disputed["end-1"]["sequence"] > after["sequence"]
    assert str(disputed["ruling-1"]["summary"]).endswith("last day to rule on 'manufactured'")


def test_funding_counts_as_a_change(store: Store, running: Chronicle) -> None:
    before = read(store, running)["end-4"]
    running.funded(4)
    after = read(store, running)["end-4"]
    assert after["sequence"] > before["sequence"]
    assert "back to" in str(after["summary"])


def test_what_is_settled_is_gone(store: Store, running: Chronicle) -> None:
    running.approved(1)
    assert not [name for name in read(store, running) if name.endswith("-1")]


def test_says_when_time_is_up(store: Store, running: Chronicle) -> None:
    running.time = running.bound.milestones[1].deadline
    found = read(store, running)["end-1"]
    assert str(found["summary"]).endswith("'manufactured': time is up")


def test_refuses_an_agreement_that_is_not_open(store: Store, chronicle: Chronicle) -> None:
    chronicle.wait(1)
    chronicle.write(store)
    with store.reading() as connection, pytest.raises(UsageError, match="is open"):
        calendar(connection, chronicle.bound.id, 0)
