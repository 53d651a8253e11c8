"""Retainage: a part of each milestone is withheld and paid later, in milestones of its own.

"10 % until 50 % complete, then 5 %" steps down with the work: complete is measured by the value of
the milestones under retainage, and a milestone across the line is withheld from at both rates.
Withheld parts are rounded down to the token unit, so rounding favours earlier payment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from milestone_escrow.documents.money import Part, Sum, read_part, read_percent
from milestone_escrow.documents.when import CalendarPeriod, read_period
from milestone_escrow.errors import UsageError


@dataclass(frozen=True, slots=True)
class Steps:
    """Rates with the completion up to which each holds; the last holds to the end."""

    rates: tuple[tuple[Fraction, Fraction], ...]

    def withhold(self, amounts: Sequence[int]) -> tuple[int, ...]:
        """What is withheld from each amount, in the order in which they are worked off."""
        total, done, withheld = sum(amounts), 0, []
        for amount in amounts:
            exact = Fraction(0)
            floor = Fraction(0)
            for until, rate in self.rates:
                ceiling = until * total
                overlap = min(ceiling, Fraction(done + amount)) - max(floor, Fraction(done))
                exact += max(overlap, Fraction(0)) * rate
                floor = ceiling
            withheld.append(int(exact))
            done += amount
        return tuple(withheld)


@dataclass(frozen=True, slots=True)
class RetainageRelease:
    """One part of what was withheld, and how long after completion it is due; `words` is that
    time as written."""

    part: Part
    after: CalendarPeriod
    words: str = field(default="", compare=False)


_STEP = re.compile(r"(.+?%|none)(?: until (.+?%) complete)?")
_AT_COMPLETION = re.compile(r"(.+?) (?:at|on|upon) completion")
_AFTER = re.compile(
    r"(.+?) after (?:the )?((?:\w+) (?:days?|weeks?|months?|years?))(?: .*)?", re.IGNORECASE
)
_LATER = re.compile(r"(.+?) (\w+ (?:days?|weeks?|months?|years?)) after completion(?: .*)?")


def read_steps(text: str) -> Steps:
    """Read "10 %" or "10 % until 50 % complete, then 5 %".

    Raises:
        UsageError: not such a sentence, completion that does not rise, or all withheld.
    """
    words = " ".join(text.lower().split())
    rates: list[tuple[Fraction, Fraction]] = []
    pieces = re.split(r",? then ", words)
    for index, piece in enumerate(pieces):
        match = _STEP.fullmatch(piece)
        last = index == len(pieces) - 1
        if not match or bool(match[2]) == last:
            raise UsageError(
                f"'{text}' does not say what is withheld",
                hint="write 10 %, or 10 % until 50 % complete, then 5 %",
            )
        rate = Fraction(0) if match[1] == "none" else read_percent(match[1]).value
        until = Fraction(1) if last else read_percent(match[2]).value
        if rate >= 1 or until <= (rates[-1][0] if rates else 0):
            raise UsageError(
                f"'{text}' withholds everything, or its steps do not rise",
                hint="write 10 % until 50 % complete, then 5 %",
            )
        rates.append((until, rate))
    return Steps(tuple(rates))


def read_releases(text: str) -> tuple[str, ...]:
    """The sentences of "half at completion, half after 365 days"."""
    return tuple(piece.strip() for piece in text.split(",") if piece.strip())


def read_release(text: str) -> RetainageRelease:
    """Read "half at completion", "half after 365 days" or "50 % 12 months after completion".

    Raises:
        UsageError: none of these.
    """
    words = " ".join(text.lower().split()).removesuffix(" defects period")
    if match := _AT_COMPLETION.fullmatch(words):
        return RetainageRelease(_share(match[1]), CalendarPeriod())
    if match := _LATER.fullmatch(words) or _AFTER.fullmatch(words):
        return RetainageRelease(_share(match[1]), read_period(match[2]), match[2])
    raise UsageError(
        f"'{text}' does not say when retainage is released",
        hint="write half at completion, half after 365 days",
    )


def _share(text: str) -> Part:
    part = read_part(text)
    if isinstance(part, Sum):
        raise UsageError(f"'{text}' is not a share", hint="write half, 50 % or the rest")
    return part
