"""How a price is divided into parts, to the last token unit.

Percentages that do not divide evenly are rounded down, and the last part takes the remainder.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from milestone_escrow.documents.money import (
    Currency,
    Part,
    Percent,
    Rest,
    Sum,
    format_amount,
    format_percent,
)
from milestone_escrow.errors import UsageError


class SplitError(UsageError):
    """The parts do not make the price; `part` is the index of the one to blame, if one is."""

    def __init__(self, message: str, *, part: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.part = part


def split_price(price: int, parts: Sequence[Part], currency: Currency) -> tuple[int, ...]:
    """Token units of each part; they add up to `price` exactly. The last part takes the remainder.

    Several `rest` parts share evenly what the others leave.

    Raises:
        SplitError: the parts do not add up to the price, or one of them comes to nothing.
    """
    exact = [_exact(price, part, index, currency) for index, part in enumerate(parts)]
    shared = [index for index, part in enumerate(parts) if isinstance(part, Rest)]
    left = price - sum(exact, Fraction(0))
    if (left < 0 or left == 0) if shared else left != 0:
        raise _does_not_add_up(price, left, bool(shared), parts, currency)
    units = [int(value) for value in exact]
    if shared:
        _share_evenly(units, shared, price - sum(units))
    elif percents := [index for index, part in enumerate(parts) if isinstance(part, Percent)]:
        units[percents[-1]] += price - sum(units)
    for index, amount in enumerate(units):
        if amount <= 0:
            raise SplitError(
                "comes to nothing", part=index, hint="pay at least one unit, or remove it"
            )
    return tuple(units)


def split_evenly(amount: int, shares: Sequence[Fraction | None]) -> tuple[int, ...]:
    """Parts of an amount by shares of 1; None is the rest. The last takes the remainder."""
    units = [int(amount * share) if share is not None else 0 for share in shares]
    rest = next((i for i, share in enumerate(shares) if share is None), len(units) - 1)
    units[rest] += amount - sum(units)
    return tuple(units)


def _exact(price: int, part: Part, index: int, currency: Currency) -> Fraction:
    if isinstance(part, Percent):
        return price * part.value
    if isinstance(part, Sum):
        try:
            return Fraction(part.units(currency))
        except UsageError as error:
            raise SplitError(error.message, part=index, hint=error.hint) from error
    return Fraction(0)


def _share_evenly(units: list[int], shared: Sequence[int], left: int) -> None:
    each = left // len(shared)
    for index in shared:
        units[index] = each
    units[shared[-1]] += left - each * len(shared)


def _does_not_add_up(
    price: int, left: Fraction, shared: bool, parts: Sequence[Part], currency: Currency
) -> SplitError:
    total = format_amount(int(price - left), currency)
    message = f"the parts add up to {total}, the price is {format_amount(price, currency)}"
    if shared:
        return SplitError(f"{message}, which leaves nothing for the rest", hint="lower a part")
    off = format_amount(abs(int(left)), currency)
    if all(isinstance(part, Percent) for part in parts):
        off = f"{off} ({format_percent(abs(left) / price)})"
    if left > 0:
        return SplitError(message, hint=f"{off} is missing: raise a part, or let one say `rest`")
    return SplitError(message, hint=f"{off} is too much: lower a part")
