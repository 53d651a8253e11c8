"""VAT as an agreement states it: how an amount divides into net and tax, to the last token unit.

Tax is rounded half up to the cent (the hundredth of a token), the net takes the remainder, so that
net and tax always add up to the gross. Where something is paid in parts, the tax of a part is the
tax of all parts up to it less that of those before, so that the parts add up to the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from milestone_escrow.documents.money import Currency, format_rate, read_percent
from milestone_escrow.errors import UsageError

_RATE = re.compile(r"(.+?%)(?:,? (included|on top))?", re.IGNORECASE)
_EXEMPT = re.compile(r"exempt(?:,|:)\s*(\S.*)", re.IGNORECASE)
_HINT = "write 19 %, 19 % on top, reverse charge, none, or exempt and why: exempt, export of goods"

REVERSE_CHARGE = "Reverse charge: the recipient accounts for the VAT."


@dataclass(frozen=True, slots=True)
class Taxed:
    """An amount and the tax on it, token units."""

    net: int
    tax: int

    @property
    def gross(self) -> int:
        return self.net + self.tax

    def __add__(self, other: Taxed) -> Taxed:
        return Taxed(self.net + other.net, self.tax + other.tax)

    def __sub__(self, other: Taxed) -> Taxed:
        return Taxed(self.net - other.net, self.tax - other.tax)


@dataclass(frozen=True, slots=True)
class Vat:
    """A rate (1 = 100 %), within the agreement's amounts or `on_top` of them; `note` says why
    none is charged."""

    rate: Fraction
    on_top: bool = False
    note: str = ""

    def of(self, units: int, currency: Currency) -> Taxed:
        """An amount of the agreement as net and tax."""
        exact = units * self.rate if self.on_top else units * self.rate / (1 + self.rate)
        tax = _half_up(exact, currency)
        return Taxed(units, tax) if self.on_top else Taxed(units - tax, tax)

    def of_part(self, before: int, units: int, currency: Currency) -> Taxed:
        """A part of an amount, after `before` of it was paid."""
        return self.of(before + units, currency) - self.of(before, currency)

    @property
    def words(self) -> str:
        """ "19 %", "reverse charge", "none", as it stands in a file."""
        if self.rate:
            return format_rate(self.rate) + (" on top" if self.on_top else "")
        if self.note == REVERSE_CHARGE:
            return "reverse charge"
        return f"exempt, {self.note}" if self.note else "none"


def read_vat(text: str) -> Vat:
    """Read "19 %", "19 % on top", "reverse charge", "exempt, export of goods" or "none".

    Raises:
        UsageError: none of these, or a rate of 0 % without a reason.
    """
    words = " ".join(text.split())
    if words.lower() in {"none", "off", "no vat"}:
        return Vat(Fraction(0))
    if words.lower() == "reverse charge":
        return Vat(Fraction(0), note=REVERSE_CHARGE)
    if match := _EXEMPT.fullmatch(words):
        return Vat(Fraction(0), note=match[1])
    match = _RATE.fullmatch(words)
    if not match:
        raise UsageError(f"'{text}' does not say what VAT is charged", hint=_HINT)
    rate = read_percent(match[1]).value
    if not rate:
        raise UsageError(f"'{text}' does not say why no VAT is charged", hint=_HINT)
    return Vat(rate, on_top=(match[2] or "").lower() == "on top")


def _half_up(units: Fraction, currency: Currency) -> int:
    """Token units in whole cents."""
    cent: int = 10 ** max(currency.decimals - 2, 0)
    return floor(units / cent + Fraction(1, 2)) * cent
