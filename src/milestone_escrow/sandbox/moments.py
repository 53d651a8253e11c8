"""When a step of a story happens: "5 days before due", "3 days later", "when time is up".

Stories know no dates of their own, so they play at whatever dates their agreement has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeAlias
from zoneinfo import ZoneInfo

from milestone_escrow.documents.when import DAY, CalendarPeriod, day_of, read_period
from milestone_escrow.errors import UsageError

# People act in office hours: a story's day starts at ten.
OPENING = time(10, 0, 0)


@dataclass(frozen=True, slots=True)
class Later:
    """Some time after the step before; an empty period is the same day."""

    period: CalendarPeriod


@dataclass(frozen=True, slots=True)
class Around:
    """So many days before (negative) or after a milestone is due; "" is the step's own."""

    period: CalendarPeriod
    milestone: str = ""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """When silence decides the milestone; "" is the step's own."""

    milestone: str = ""


Moment: TypeAlias = Later | Around | TimeUp

_LATER = re.compile(r"(.+) later")
_AROUND = re.compile(r"(.+?) (before|after)(?: ([a-z][a-z0-9_-]*) is)? due")
_ON = re.compile(r"(?:on|when)(?: ([a-z][a-z0-9_-]*) is)? (?:the )?due(?: date)?")
_UP = re.compile(r"when time is up(?: for ([a-z][a-z0-9_-]*))?")


def read_moment(text: str) -> Moment:
    """Read one of the sentences above.

    Raises:
        UsageError: none of them.
    """
    words = " ".join(text.lower().split())
    if words in {"the same day", "same day"}:
        return Later(CalendarPeriod())
    if words in {"the next day", "next day"}:
        return Later(CalendarPeriod(days=1))
    if match := _LATER.fullmatch(words):
        return Later(read_period(match[1]))
    if match := _AROUND.fullmatch(words):
        return Around(_whole_days(match[1], before=match[2] == "before"), match[3] or "")
    if match := _ON.fullmatch(words):
        return Around(CalendarPeriod(), match[1] or "")
    if match := _UP.fullmatch(words):
        return TimeUp(match[1] or "")
    raise UsageError(
        f"'{text}' does not say when",
        hint="write 3 days later, 5 days before due, 2 days after packed is due, on the due date "
        "or when time is up",
    )


def moment_after(moment: Later | Around, now: int, dues: Mapping[str, date], zone: ZoneInfo) -> int:
    """Unix seconds of a moment, never before `now`; `dues[""]` is for the step's own milestone.

    Raises:
        UsageError: the milestone has no due date, or the day has passed.
    """
    if isinstance(moment, Later):
        if moment.period.seconds:
            return now + moment.period.days * DAY + moment.period.seconds
        day = moment.period.after(day_of(now, zone))
    elif moment.milestone in dues:
        day = moment.period.after(dues[moment.milestone])
    else:
        raise UsageError(f"'{moment.milestone or 'this step'}' has no due date to count from")
    today = day_of(now, zone)
    if day < today:
        raise UsageError(f"the story is at {today} already and cannot go back to {day}")
    return max(now, opening_of(day, zone))


def opening_of(day: date, zone: ZoneInfo) -> int:
    """Unix seconds at which a day's work begins."""
    return int(datetime.combine(day, OPENING, zone).timestamp())


def _whole_days(text: str, *, before: bool) -> CalendarPeriod:
    period = read_period(text)
    if period.seconds:
        raise UsageError(f"'{text}' is not a number of days", hint="write 2 days or 1 month")
    return CalendarPeriod(-period.months, -period.days) if before else period
