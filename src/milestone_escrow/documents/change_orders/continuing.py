"""A change order continues an agreement: what of each milestone the version before has decided.

The file goes on saying the whole deal. What is settled, or stays behind because it is under way,
is listed as `decided_before: {deposit: all}` and is no part of the new terms; of a milestone that
has been paid in part, `{built: "1,500.00"}` says how much, and the new terms hold the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from milestone_escrow.documents.model import AgreementFile
from milestone_escrow.documents.money import Currency, format_amount
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.source import Source, Where, suggest

_FIELD = "decided_before"

Planned = tuple[PlannedMilestone, ...]


def remaining(
    source: Source, model: AgreementFile, planned: Sequence[PlannedMilestone], currency: Currency
) -> tuple[Planned, Planned]:
    """The milestones of the new terms, and those that stay behind.

    Raises:
        DocumentError: a milestone that does not exist, an amount that is too large, nothing left.
    """
    if not model.decided_before:
        return tuple(planned), ()
    if model.replaces is None:
        raise source.error((_FIELD,), "says what another version decided", "add `replaces: 0x…`")
    keys = [milestone.key for milestone in planned]
    for key in model.decided_before:
        if key not in keys:
            where: Where = (_FIELD, key)
            raise source.error(where, "is not a milestone of this file", suggest(key, keys))
    going_on: list[PlannedMilestone] = []
    left_behind: list[PlannedMilestone] = []
    for milestone in planned:
        decided = _decided(source, model, milestone, currency)
        if decided == milestone.amount:
            left_behind.append(replace(milestone, index=-1, amount=0, decided=decided))
        else:
            rest = milestone.amount - decided
            index = len(going_on)
            going_on.append(replace(milestone, index=index, amount=rest, decided=decided))
    if not going_on:
        raise source.error((_FIELD,), "leaves nothing to change", "remove what is still open")
    return tuple(going_on), tuple(left_behind)


def _decided(
    source: Source, model: AgreementFile, milestone: PlannedMilestone, currency: Currency
) -> int:
    if milestone.key not in model.decided_before:
        return 0
    amount = model.decided_before[milestone.key]
    if amount is None:
        return milestone.amount
    where: Where = (_FIELD, milestone.key)
    with source.at(where):
        units = amount.units(currency)
    if not 0 < units < milestone.amount:
        most = format_amount(milestone.amount, currency)
        raise source.error(where, f"is not a part of its {most}", "write all if it is all of it")
    return units
