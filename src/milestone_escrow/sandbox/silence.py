"""What falls due when nobody acts: the keeper's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from milestone_escrow.protocol.lifecycle import Silence, State, silence
from milestone_escrow.protocol.terms import Milestone, Terms


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
