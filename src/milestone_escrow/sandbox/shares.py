"""Parts of an amount as a story says them, in token units; a percentage is rounded down."""

from __future__ import annotations

from milestone_escrow.documents.money import Currency, Part, Percent, Rest, Sum
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.lifecycle import Split


def part_of(part: Part | None, whole: int, currency: Currency) -> int:
    """Token units of one part; nothing said, or `rest`, is all of it.

    Raises:
        UsageError: more than there is.
    """
    if part is None or isinstance(part, Rest):
        return whole
    units = _units(part, whole, currency)
    if units > whole:
        raise UsageError(f"{units} token units are more than the {whole} that there are")
    return units


def split_of(whole: int, supplier: Part, buyer: Part, currency: Currency) -> Split:
    """How two parts divide what is held; they may leave something.

    Raises:
        UsageError: together they are more than there is, or both are the rest.
    """
    if isinstance(supplier, Rest) and isinstance(buyer, Rest):
        raise UsageError("both sides get the rest", hint="give one of them a part")
    to_buyer = 0 if isinstance(buyer, Rest) else part_of(buyer, whole, currency)
    to_supplier = 0 if isinstance(supplier, Rest) else part_of(supplier, whole, currency)
    if isinstance(buyer, Rest):
        to_buyer = whole - to_supplier
    if isinstance(supplier, Rest):
        to_supplier = whole - to_buyer
    if to_supplier + to_buyer > whole:
        raise UsageError(f"the parts add up to {to_supplier + to_buyer} token units of {whole}")
    return Split(to_supplier, to_buyer)


def _units(part: Sum | Percent, whole: int, currency: Currency) -> int:
    return int(whole * part.value) if isinstance(part, Percent) else part.units(currency)
