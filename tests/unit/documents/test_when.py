"""Dates mean the end of that day in the agreement's time zone, whatever the clocks do."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.documents.when import (
    DAY,
    HOUR,
    LAST_DAY,
    CalendarPeriod,
    add_months,
    day_of,
    end_of_day,
    format_duration,
    format_relative,
    format_time,
    local,
    parse_duration,
    read_date,
    read_period,
    read_zone,
    start_of_day,
)
from milestone_escrow.errors import UsageError

BERLIN = ZoneInfo("Europe/Berlin")
zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
days = st.dates(date(2020, 1, 1), date(2060, 12, 31))


@given(days, zones)
def test_a_date_ends_on_its_own_day_in_every_zone(day: date, zone: ZoneInfo) -> None:
    end = end_of_day(day, zone)
    assert day_of(end, zone) == day
    assert day_of(end + 1, zone) > day
    assert f"{local(end, zone):%H:%M:%S}" == "23:59:59"


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2027, 3, 28), 23), (date(2027, 10, 31), 25), (date(2027, 6, 1), 24)],
)
def test_days_have_the_hours_that_the_clocks_give_them(day: date, hours: int) -> None:
    assert end_of_day(day, BERLIN) + 1 - start_of_day(day, BERLIN) == hours * HOUR


def test_the_later_of_two_midnights_counts_where_clocks_go_back_over_it() -> None:
    lebanon = ZoneInfo("Asia/Beirut")
    end = end_of_day(date(2027, 10, 30), lebanon)
    assert local(end, lebanon).utcoffset() == timedelta(hours=2)
    assert day_of(end + 1, lebanon) == date(2027, 10, 31)


@given(st.integers(1, 400 * DAY))
def test_durations_that_are_shown_can_be_read_again(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2 days", 2 * DAY), ("48 hours", 2 * DAY), ("2 weeks", 14 * DAY), ("off", 0),
        ("a day", DAY), ("one week", 7 * DAY), ("3d", 3 * DAY), ("12h", 12 * HOUR),
        ("1 week, 2 days", 9 * DAY), ("90 minutes", 5_400), ("90m", 5_400), ("1d12h", 36 * HOUR),
    ],
)  # fmt: skip
def test_reads_durations_as_people_say_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "days", "2 months", "1 year", "2 dayz", "-1 day", "2 d x"]
)
def test_refuses_durations_without_a_fixed_length(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


def test_periods_may_be_months_and_years() -> None:
    assert read_period("12 months") == read_period("1 year") == CalendarPeriod(months=12)
    assert read_period("1 year").after(date(2028, 2, 29)) == date(2029, 2, 28)
    assert read_period("36 hours") == CalendarPeriod(days=1, seconds=12 * HOUR)
    for text in ("21 years", "999999 weeks"):
        with pytest.raises(UsageError, match="too long"):
            read_period(text)


@given(days, st.integers(0, 240))
def test_months_keep_the_day_or_end_earlier(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + timedelta(days=1)).day == 1
    assert (add_months(day, months, month_end=True) + timedelta(days=1)).day == 1


@pytest.mark.parametrize(
    "text", ["2027-2-3", "2027-13-01", "27-01-01", "1 March 2027", "1999-01-01"]
)
def test_refuses_dates_in_another_order(text: str) -> None:
    with pytest.raises(UsageError, match="year-month-day"):
        read_date(text)


@pytest.mark.parametrize(
    "name",
    ["localtime", "right/Europe/Berlin", "../etc/passwd", "", "Europe", "Europe/../UTC", "CEST"],
)
def test_refuses_what_only_some_machines_know(name: str) -> None:
    with pytest.raises(UsageError, match="not an IANA time zone"):
        read_zone(name)


@given(zones)
def test_knows_every_zone(zone: ZoneInfo) -> None:
    assert read_zone(zone.key) == zone


def test_refuses_unknown_zones_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="'Asia/Kolkata'"):
        read_zone("Asia/Kolkatta")


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Berlin", "14 Mar 2027, 23:59 UTC+01:00"),
        ("Asia/Kolkata", "15 Mar 2027, 04:29 UTC+05:30"),
        ("Asia/Singapore", "15 Mar 2027, 06:59 UTC+08:00"),
        ("America/St_Johns", "14 Mar 2027, 20:29 UTC-02:30"),
        ("Europe/London", "14 Mar 2027, 22:59 UTC"),
        ("UTC", "14 Mar 2027, 22:59 UTC"),
    ],
)
def test_shows_times_with_their_offset(zone: str, text: str) -> None:
    assert format_time(end_of_day(date(2027, 3, 14), BERLIN), ZoneInfo(zone)) == text


@pytest.mark.parametrize("moment", [LAST_DAY, 2**40 - 1])
def test_what_holds_for_ever_has_a_time_too(moment: int) -> None:
    assert format_time(moment, ZoneInfo("Pacific/Kiritimati")) == "after the year 9998"
    assert format_time(LAST_DAY - 1, ZoneInfo("Pacific/Kiritimati")).startswith("31 Dec 9999")


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (0, "now"), (59, "now"), (60, "in 1 minute"), (-7_200, "2 hours ago"),
        (3 * DAY, "in 3 days"), (3 * DAY - 1, "in 2 days"), (-DAY, "1 day ago"),
    ],
)  # fmt: skip
def test_shows_distances_in_the_largest_unit(distance: int, text: str) -> None:
    assert format_relative(1_000_000 + distance, 1_000_000) == text
