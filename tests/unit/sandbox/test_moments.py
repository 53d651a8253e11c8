"""When a step of a story happens."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from milestone_escrow.documents.when import CalendarPeriod
from milestone_escrow.errors import UsageError
from milestone_escrow.sandbox.moments import Around, Later, TimeUp, moment_after, read_moment

BERLIN = ZoneInfo("Europe/Berlin")
DUES = {"": date(2027, 3, 15), "packed": date(2027, 3, 29)}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("3 days later", Later(CalendarPeriod(days=3))),
        ("the next day", Later(CalendarPeriod(days=1))),
        ("the same day", Later(CalendarPeriod())),
        ("36 hours later", Later(CalendarPeriod(days=1, seconds=43_200))),
        ("5 days before due", Around(CalendarPeriod(days=-5))),
        ("1 month after packed is due", Around(CalendarPeriod(months=1), "packed")),
        ("on the due date", Around(CalendarPeriod())),
        ("when packed is due", Around(CalendarPeriod(), "packed")),
        ("When  time is up", TimeUp()),
        ("when time is up for packed", TimeUp("packed")),
    ],
)
def test_reads_what_people_write(text: str, moment: object) -> None:
    assert read_moment(text) == moment


@pytest.mark.parametrize("text", ["tomorrow", "2027-03-15", "5 hours before due", "soon later", ""])
def test_refuses_anything_else_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_moment(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "now", "then"),
    [
        ("3 days later", "2027-03-01 17:00", "2027-03-04 10:00"),
        ("6 hours later", "2027-03-01 17:00", "2027-03-01 23:00"),
        ("the same day", "2027-03-01 17:00", "2027-03-01 17:00"),
        ("the same day", "2027-03-01 08:00", "2027-03-01 10:00"),
        ("5 days before due", "2027-03-01 17:00", "2027-03-10 10:00"),
        ("2 days after packed is due", "2027-03-01 17:00", "2027-03-31 10:00"),
    ],
)
def test_counts_from_the_step_before_or_from_the_due_date(text: str, now: str, then: str) -> None:
    moment = read_moment(text)
    assert not isinstance(moment, TimeUp)
    assert moment_after(moment, at(now), DUES, BERLIN) == at(then)


def test_refuses_to_go_back_in_time() -> None:
    with pytest.raises(UsageError, match="2027-03-16 already and cannot go back to 2027-03-10"):
        moment_after(Around(CalendarPeriod(days=-5)), at("2027-03-16 09:00"), DUES, BERLIN)


def test_refuses_to_count_from_a_milestone_without_a_due_date() -> None:
    with pytest.raises(UsageError, match="'deposit' has no due date"):
        moment_after(Around(CalendarPeriod(), "deposit"), at("2027-03-01 09:00"), DUES, BERLIN)
