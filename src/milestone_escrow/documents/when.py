"""Dates, times and durations for people.

A date in an agreement means the end of that day, 23:59:59, in the agreement's time zone; where
clocks go back over midnight, the later of the two.
"""

from __future__ import annotations

import calendar
import re
import zoneinfo
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from milestone_escrow.errors import UsageError

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
MAX_YEARS = 20

UTC = ZoneInfo("UTC")

# 31 Dec 9999 in UTC: Python knows no later days, and signed acts may say that they hold until one.
LAST_DAY = 253_402_214_400

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        (
            "one", "two", "three", "four", "five", "six",
            "seven", "eight", "nine", "ten", "eleven", "twelve",
        ),
        start=1,
    )
} | {"a": 1, "an": 1}  # fmt: skip

_UNITS = {
    "m": MINUTE, "min": MINUTE, "minute": MINUTE,
    "h": HOUR, "hour": HOUR,
    "d": DAY, "day": DAY,
    "w": WEEK, "week": WEEK,
    "s": 1, "second": 1,
}  # fmt: skip
_PIECE = re.compile(r"(\d+|[a-z]+)\s*([a-z]+)", re.ASCII)
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*)*")
_ISO_DATE = re.compile(r"20\d{2}-\d{2}-\d{2}", re.ASCII)


@lru_cache(maxsize=64)
def read_zone(name: str) -> ZoneInfo:
    """An IANA time zone by name.

    Raises:
        UsageError: there is no such zone.
    """
    from difflib import get_close_matches

    try:
        # What machines have besides (localtime, posixrules, posix/…, right/…) differs among them.
        if _ZONE.fullmatch(name) and name != "Factory":
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    close = get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.6)
    hint = f"did you mean '{close[0]}'?" if close else "write it as Europe/Berlin or UTC"
    raise UsageError(f"'{name}' is not an IANA time zone", hint=hint)


@lru_cache(maxsize=1)
def calendar_release() -> str:
    """The release of the time zone data that this machine reads, such as "2025b"; "" where it does
    not say. Zones are looked for along `zoneinfo.TZPATH`, then in the package `tzdata`."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "UTC").is_file():
            try:
                first = (folder / "tzdata.zi").open(encoding="utf-8").readline()
            except (OSError, UnicodeDecodeError):
                return ""
            found = re.fullmatch(r"# version (\S{1,20})\s*", first)
            return found[1] if found else ""
    return str(import_module("tzdata").IANA_VERSION)


def read_date(text: str) -> date:
    """Read "2027-03-15".

    Raises:
        UsageError: not a date of the calendar, or written in another order.
    """
    try:
        if not _ISO_DATE.fullmatch(text.strip()):
            raise ValueError
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"'{text}' is not a date", hint="write year-month-day, as in 2027-03-15"
        ) from None


def end_of_day(day: date, zone: ZoneInfo) -> int:
    """Unix seconds of 23:59:59 on that day."""
    # fold=1: of two 23:59:59 on a night when clocks go back, the later.
    return int(datetime.combine(day, time(23, 59, 59), zone).replace(fold=1).timestamp())


def start_of_day(day: date, zone: ZoneInfo) -> int:
    """Unix seconds of the day's first second."""
    return int(datetime.combine(day, time(0, 0, 0), zone).timestamp())


def day_of(moment: int, zone: ZoneInfo) -> date:
    """The calendar day of a Unix time in a zone."""
    return local(moment, zone).date()


def local(moment: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment, timezone.utc).astimezone(zone)


def format_date(day: date) -> str:
    """ "14 Mar 2027", the same in every locale."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def format_time(moment: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """ "14 Mar 2027, 23:59 UTC+01:00"; letters would leave open whether CST is Chicago's."""
    if moment >= LAST_DAY:
        return "after the year 9998"
    there = local(moment, zone)
    z = f"{there:%z}" if there.utcoffset() else ""
    clock = f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    return f"{format_date(there.date())}, {clock} UTC{z and f'{z[:3]}:{z[3:5]}'}"


def format_relative(moment: int, now: int) -> str:
    """ "in 3 days", "2 hours ago", "now"; the largest unit that fits, rounded down."""
    distance = abs(moment - now)
    if distance < MINUTE:
        return "now"
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if distance >= size:
            count = distance // size
            text = f"{count} {name}{'s' if count > 1 else ''}"
            return f"in {text}" if moment > now else f"{text} ago"
    return "now"


def parse_duration(text: str) -> int:
    """Seconds of "2 days", "48 hours", "1 week 2 days", "3d"; "off" is 0.

    Raises:
        UsageError: not a duration. Months and years are no fixed time and are refused.
    """
    words = " ".join(text.lower().replace(",", " ").split())
    if words in {"off", "none"}:
        return 0
    seconds, end = 0, 0
    while end < len(words):
        piece = _PIECE.match(words, end)
        if not piece:
            raise _not_a_duration(text)
        seconds += _count(piece[1], text) * _unit(piece[2], text)
        end = piece.end() + len(words[piece.end() :]) - len(words[piece.end() :].lstrip())
    if not words:
        raise _not_a_duration(text)
    return seconds


def format_duration(seconds: int) -> str:
    """ "2 days", "1 day 12 hours"; 0 is "off"."""
    if seconds <= 0:
        return "off"
    pieces = []
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            pieces.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(pieces)


@dataclass(frozen=True, slots=True)
class CalendarPeriod:
    """A stretch of calendar time: "30 days", "12 months"; hours and minutes count exactly."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def after(self, day: date) -> date:
        """The day that lies this period after `day`; a shorter month ends on its last day."""
        return add_months(day, self.months) + timedelta(days=self.days)


def read_period(text: str) -> CalendarPeriod:
    """Read "30 days", "2 weeks", "12 months", "1 year", "36 hours".

    Raises:
        UsageError: not a period.
    """
    words = text.lower().split()
    if len(words) == 2 and (months := {"month": 1, "year": 12}.get(words[1].rstrip("s"))):
        count = months * _count(words[0], text)
        if count > 12 * MAX_YEARS:
            raise _too_long(text)
        return CalendarPeriod(months=count)
    seconds = parse_duration(text)
    if seconds > MAX_YEARS * 366 * DAY:
        raise _too_long(text)
    return CalendarPeriod(days=seconds // DAY, seconds=seconds % DAY)


def add_months(day: date, months: int, *, month_end: bool = False) -> date:
    """The same day of a later month, or its last day where it is shorter or `month_end` is set."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, last if month_end else min(day.day, last))


def is_month_end(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]


def _count(word: str, text: str) -> int:
    if word.isdigit() and len(word) <= 6:
        return int(word)
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    raise _not_a_duration(text)


def _unit(word: str, text: str) -> int:
    unit = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
    if unit is None:
        raise _not_a_duration(text)
    return unit


def _too_long(text: str) -> UsageError:
    return UsageError(f"'{text}' is too long", hint=f"write at most {MAX_YEARS} years")


def _not_a_duration(text: str) -> UsageError:
    return UsageError(f"'{text}' is not a duration", hint="write 48 hours, 2 days, 2 weeks or off")
