"""From a changed file to a change order: the two lines that say what it continues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.edit import set_fields, unset_field
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.source import parse_source
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import State, Status

_NOT_UNDER_WAY = frozenset({Status.UNFUNDED, Status.FUNDED})


def mark_change(text: str, old: BoundAgreement, states: Sequence[State], *, file: str = "") -> str:
    """The text of a new version with the two lines that make it a change order of `old`:
    `replaces`, and `decided_before` by the rule in `change_order`.

    Raises:
        DocumentError: the text is not an agreement file.
        UsageError: it is not written line by line.
    """
    plain = set_fields(text, {"replaces": "0x" + old.id.hex()}, after="date")
    plain = unset_field(plain, "decided_before")
    # What is decided does not depend on the attachments, which may lie elsewhere.
    tree = {name: value for name, value in parse_source(plain, file=file).tree.items()
            if name != "attachments"}  # fmt: skip
    decided = dict(_decided(old, Agreement.from_document(tree, file), states))
    if not decided:
        return plain
    parts = ", ".join(f"{key}: {amount}" for key, amount in decided.items())
    return set_fields(plain, {"decided_before": "{" + parts + "}"}, after="replaces")


def _decided(
    old: BoundAgreement, new: Agreement, states: Sequence[State]
) -> Iterator[tuple[str, str]]:
    """For each milestone that both have: "all" where it stays behind, or what has left it."""
    there = {milestone.key: milestone for milestone in new.milestones}
    for planned in old.agreement.left_behind:
        if planned.key in there:
            yield planned.key, "all"
    for planned, state in zip(old.agreement.milestones, states, strict=True):
        if planned.key not in there:
            continue
        is_changed = _substance(old.agreement, planned) != _substance(new, there[planned.key])
        if state.status is Status.SETTLED or (_is_under_way(state) and not is_changed):
            yield planned.key, "all"
        elif units := planned.decided + state.paid:
            yield planned.key, f'"{format_amount(units, new.currency, symbol=False)}"'


def _is_under_way(state: State) -> bool:
    return state.status not in _NOT_UNDER_WAY or state.assignee != ZERO_ADDRESS


def _substance(agreement: Agreement, milestone: PlannedMilestone) -> tuple[object, ...]:
    """What a milestone says for itself; a deadline may change with the rules for all of them."""
    return (
        milestone.whole,
        milestone.due,
        milestone.quorum,
        frozenset(agreement.people[name] for name in milestone.verifiers),
        milestone.requirements_hash,
    )
