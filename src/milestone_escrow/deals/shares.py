"""Amounts on the command line: "60%", "12,000.00", "half", "rest"."""

from __future__ import annotations

from milestone_escrow.documents.money import Part, Percent, Rest, read_part
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.words.standing import Standing, amount


def share(standing: Standing, text: str | None, whole: int) -> int:
    """Token units of a part of `whole`, rounded down; all of it without a text.

    Raises:
        UsageError: not a part, more than there is, or nothing.
    """
    if text is None:
        return whole
    units = _units(standing, read_part(text), whole)
    if units is None:
        return whole
    if not 0 < units <= whole:
        raise UsageError(
            f"'{text}' is {amount(standing, units)}",
            hint=f"give more than nothing and at most {amount(standing, whole)}",
        )
    return units


def split(standing: Standing, to_supplier: str | None, to_buyer: str | None) -> Split:
    """How what is held is split; `rest` is whatever the other side does not get.

    Raises:
        UsageError: no side is named, both take the rest, or it is more than is held.
    """
    held = standing.held
    if to_supplier is None and to_buyer is None:
        raise UsageError(
            "the split is missing", hint="add --to-supplier 60% --to-buyer rest, for example"
        )
    payee = _units(standing, read_part(to_supplier), held) if to_supplier else 0
    buyer = _units(standing, read_part(to_buyer), held) if to_buyer else 0
    if payee is None and buyer is None:
        raise UsageError("both sides take the rest", hint="name one side's amount")
    result = Split(
        held - (buyer or 0) if payee is None else payee,
        held - (payee or 0) if buyer is None else buyer,
    )
    if result.total > held or min(result.to_payee, result.to_buyer) < 0:
        asked = (payee or 0) + (buyer or 0)
        raise UsageError(
            f"the split adds up to {amount(standing, asked)}",
            hint=f"{amount(standing, held)} is held for '{standing.key}'",
        )
    if not result.total:
        raise UsageError("the split gives nothing to anybody", hint="name an amount above 0")
    return result


def _units(standing: Standing, part: Part, whole: int) -> int | None:
    """Token units; None for the rest."""
    if isinstance(part, Rest):
        return None
    if isinstance(part, Percent):
        return int(part.value * whole)
    return part.units(standing.bound.token)
