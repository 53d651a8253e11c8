"""How a sheet writes numbers and dates, found out from its own cells; in doubt nobody decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

from milestone_escrow.documents.when import read_date

DecimalSign: TypeAlias = Literal["point", "comma"]
DateOrder: TypeAlias = Literal["day", "month"]

_SIGNS: dict[str, DecimalSign] = {".": "point", ",": "comma"}
_NUMBER = re.compile(r"\d[\d.,'’  ]*\d|\d")
_THOUSANDS = re.compile(r"\d{1,3}(?:([.,'’  ])\d{3})(?:\1\d{3})*")
_OPEN = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_NUMERIC_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")


def decimal_sign(texts: Sequence[str]) -> tuple[DecimalSign | None, str]:
    """What sets off decimals in these amounts, and the one that shows it; None where they
    contradict each other or leave it open: what stands before three digits alone may be either."""
    shown: dict[DecimalSign, str] = {}
    open_one = ""
    for text in texts:
        for number in _NUMBER.findall(text):
            sign = _shown_by(number)
            if sign:
                shown.setdefault(sign, text)
            elif _OPEN.fullmatch(number):
                open_one = open_one or text
    if len(shown) > 1:
        return None, " and ".join(shown.values())
    if shown:
        return next(iter(shown.items()))
    return (None, open_one) if open_one else ("point", "")


def _shown_by(number: str) -> DecimalSign | None:
    dots, commas = number.count("."), number.count(",")
    if dots and commas:
        return _SIGNS[max(".,", key=number.rfind)]
    if dots > 1:
        return "comma"
    if commas > 1:
        return "point"
    if not dots + commas or _OPEN.fullmatch(number):
        return None
    return "point" if dots else "comma"


def as_number(text: str, sign: DecimalSign) -> Decimal | None:
    """A number as the sheet writes them; None where it is none."""
    point, other = (".", ",") if sign == "point" else (",", ".")
    whole, has_decimals, decimals = text.strip().partition(point)
    if has_decimals and not re.fullmatch(r"\d+", decimals, re.ASCII):
        return None
    if _THOUSANDS.fullmatch(whole) and point not in whole:
        whole = re.sub(r"\D", "", whole)
    elif other in whole or not re.fullmatch(r"\d+", whole, re.ASCII):
        return None
    return Decimal(f"{whole}.{decimals or 0}")


def date_order(texts: Sequence[str]) -> tuple[DateOrder | None, str]:
    """Whether the day or the month stands first in dates such as 31/03/2027; points mean the
    day. None where the dates leave it open, with one of them."""
    found: dict[DateOrder, str] = {}
    open_one = ""
    for text in texts:
        if match := _NUMERIC_DATE.fullmatch(text):
            if match[2] == "." or int(match[1]) > 12:
                found.setdefault("day", text)
            elif int(match[3]) > 12:
                found.setdefault("month", text)
            elif match[1] != match[3]:
                open_one = text
    if len(found) > 1:
        return None, " and ".join(found.values())
    if found:
        return next(iter(found.items()))
    return (None, open_one) if open_one else ("day", "")


def as_date(text: str, order: DateOrder) -> date:
    """A date as the sheet writes them, year first or last.

    Raises:
        UsageError: not a date.
    """
    if match := _NUMERIC_DATE.fullmatch(text):
        day, month = (match[1], match[3]) if order == "day" else (match[3], match[1])
        return read_date(f"{match[4]}-{month:>02}-{day:>02}")
    return read_date(text)
