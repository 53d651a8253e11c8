"""Amounts for people: "25,000.00 USDC" in a file and on a screen, integer token units inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol, TypeAlias

from milestone_escrow.errors import UsageError

MAX_UNITS = 2**128 - 1

# What a file may leave out for stablecoins that everybody knows; `payment.decimals` for others.
DECIMALS = {
    "USDC": 6, "USDT": 6, "EURC": 6, "PYUSD": 6, "USDG": 6, "RLUSD": 18, "DAI": 18, "USDS": 18,
    "GUSD": 2, "EURE": 18, "XSGD": 6,
}  # fmt: skip

# What money is called where there are no tokens, and the tokens that stand for it.
CURRENCIES = {
    "EUR": "EURC", "USD": "USDC", "SGD": "XSGD", "GBP": "", "CHF": "", "JPY": "", "CNY": "",
    "INR": "", "AUD": "", "CAD": "", "AED": "", "BRL": "", "MXN": "", "TRY": "",
}  # fmt: skip

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_AMOUNT = re.compile(rf"({_NUMBER})(?:\s+([A-Za-z][A-Za-z0-9.]*))?", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d{1,6})?)\s*%", re.ASCII)


class Currency(Protocol):
    """What an amount needs to know of its token; `protocol.token.Token` is one."""

    @property
    def symbol(self) -> str: ...

    @property
    def decimals(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Denomination:
    """A currency by symbol and decimals, before its address on a network is known."""

    symbol: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount as written: "72,000.00", with its symbol where one was given."""

    value: Decimal
    symbol: str = ""

    def units(self, currency: Currency) -> int:
        """Token units.

        Raises:
            UsageError: another symbol, more decimals than the token has, or too large.
        """
        if self.symbol and self.symbol.upper() != currency.symbol.upper():
            raise UsageError(
                f"the amount is in {self.symbol}, the agreement pays in {currency.symbol}",
                hint=f"write it in {currency.symbol}",
            )
        decimals = _decimals_of(self.value)
        if decimals > currency.decimals:
            raise UsageError(
                f"the amount has {decimals} decimals, {currency.symbol} has {currency.decimals}",
                hint=f"write at most {currency.decimals} digits after the point",
            )
        units = int(Fraction(self.value) * 10**currency.decimals)
        if units > MAX_UNITS:
            raise UsageError("the amount is larger than the contract can hold")
        return units


@dataclass(frozen=True, slots=True)
class Percent:
    """A percentage as written; `value` is exact, 1 = 100 %."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Rest:
    """Whatever the other parts leave."""


Part: TypeAlias = Sum | Percent | Rest


def read_sum(text: str) -> Sum:
    """Read "240,000.00 USDC" or "72,000.00".

    Raises:
        UsageError: not an amount; thousands are set off by commas, decimals by a point.
    """
    match = _AMOUNT.fullmatch(_spaced(text))
    if not match:
        raise UsageError(
            f"'{text}' is not an amount",
            hint='write it as 72,000.00 or "72,000.00 USDC": comma for thousands, point for cents',
        )
    return Sum(Decimal(match[1].replace(",", "")), match[2] or "")


def read_percent(text: str) -> Percent:
    """Read "12.5 %".

    Raises:
        UsageError: not a percentage from 0 to 100.
    """
    match = _PERCENT.fullmatch(_spaced(text))
    if not match or (value := Fraction(match[1]) / 100) > 1:
        raise UsageError(f"'{text}' is not a percentage from 0 to 100", hint="write it as 12.5 %")
    return Percent(value)


def read_part(text: str) -> Part:
    """Read one part of a price: a percentage, an amount, `rest` or a share like `half`.

    Raises:
        UsageError: none of these.
    """
    words = " ".join(text.lower().split())
    if words in {"rest", "the rest", "remainder", "the remainder"}:
        return Rest()
    if words in {"half", "one half"}:
        return Percent(Fraction(1, 2))
    if words in {"all", "everything"}:
        return Percent(Fraction(1))
    if "%" in text:
        return read_percent(text)
    try:
        return read_sum(text)
    except UsageError as error:
        raise UsageError(
            f"'{text}' is neither a percentage nor an amount",
            hint="write 30 %, 72,000.00 or rest",
        ) from error


def parse_amount(text: str, currency: Currency) -> int:
    """Token units of an amount that a person wrote, "25,000.00 USDC" or "25,000.00".

    Raises:
        UsageError: not an amount, another symbol, or too many decimals.
    """
    return read_sum(text).units(currency)


def format_amount(units: int, currency: Currency, *, symbol: bool = True) -> str:
    """Token units for people: all digits that count, and at least two decimals."""
    sign = "-" if units < 0 else ""
    whole, rest = divmod(abs(units), 10**currency.decimals)
    digits = f"{rest:0{currency.decimals}d}" if currency.decimals else ""
    digits = digits.rstrip("0").ljust(min(2, currency.decimals), "0")
    number = f"{sign}{whole:,}" + (f".{digits}" if digits else "")
    return f"{number} {currency.symbol}" if symbol else number


def format_percent(share: Fraction) -> str:
    """A share for people, "12.5 %", at most two decimals."""
    text = f"{float(share * 100):.2f}".rstrip("0").rstrip(".")
    return f"{text} %"


def format_rate(rate: Fraction) -> str:
    """A rate as it was written, "8.875 %"; six decimals are what `read_percent` takes."""
    text = f"{float(rate * 100):.6f}".rstrip("0").rstrip(".")
    return f"{text} %"


def _spaced(text: str) -> str:
    """With plain spaces: what is copied from a page may hold those that do not break."""
    return " ".join(text.split())


def _decimals_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0
