"""What falls due when nobody acts: the keeper's arithmetic, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from milestone_escrow.documents.when import format_duration
from milestone_escrow.protocol.lifecycle import Silence, State, Status, silence
from milestone_escrow.protocol.terms import BPS, Milestone, Terms


class OpenAgreement(Protocol):
    """What the keeper needs of an agreement."""

    @property
    def terms(self) -> Terms: ...

    @property
    def milestones(self) -> Sequence[Milestone]: ...


@dataclass(frozen=True, slots=True)
class Due:
    """One `finalize` call that time allows from `step.at` on."""

    milestone: int
    step: Silence


def dues(agreement: OpenAgreement, states: Sequence[State]) -> tuple[Due, ...]:
    """The next `finalize` of every milestone that holds money, the earliest first."""
    found = [
        Due(index, steps[0])
        for index, (milestone, state) in enumerate(zip(agreement.milestones, states, strict=True))
        if (steps := silence(agreement.terms, milestone, state))
    ]
    return tuple(sorted(found, key=lambda due: (due.step.at, due.milestone)))


def silent(terms: Terms, milestone: Milestone, due: Due) -> str:
    """Who said nothing, and what follows: "nobody objected for 2 days"."""
    status, split = due.step.status, due.step.split
    if status is Status.FUNDED:
        return "its date has come" if milestone.pays_on_silence else "nothing was proven in time"
    if status is Status.SUBMITTED:
        return f"nobody objected for {format_duration(terms.review_period)}"
    if status is Status.RELEASE_PENDING:
        return f"nobody objected for {format_duration(terms.objection_period)}"
    if status is Status.REFUND_PENDING:
        return "nobody disputed the rejection"
    if status is Status.DISPUTED_BEFORE_VERDICT:
        share = terms.default_payee_bps * 100 / BPS
        return f"nobody ruled, so {share:g} % to the supplier as agreed"
    stands = "certificate" if split.to_payee else "rejection"
    return f"nobody ruled, so the {stands} stands"
