"""Where this machine reads a signed document otherwise than those who signed it.

Instants follow from civil dates by the calendar data of a machine, amounts from a token's decimals,
requirements from the packages that bring their kinds: all of that changes from release to release.
What was signed is what counts, so the signed values are kept, and a difference is only told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.protocol.terms import Milestone

# No country ever moved its clocks by more within a calendar day.
CALENDAR = 26 * 3_600


@dataclass(frozen=True, slots=True)
class DeadlineDiffers:
    """When silence decides, Unix seconds: as signed, and as this machine's calendar has it."""

    key: str
    signed: int
    here: int

    @property
    def is_calendar(self) -> bool:
        """Whether calendars can differ by so much; 0 is a deposit, which is another thing."""
        return bool(self.signed and self.here) and abs(self.signed - self.here) <= CALENDAR


@dataclass(frozen=True, slots=True)
class AmountDiffers:
    """What a milestone pays, in token units: as signed, and as the document is read here."""

    key: str
    signed: int
    here: int


@dataclass(frozen=True, slots=True)
class RequirementsDiffer:
    """What must be shown is read otherwise here, so its hash (32 bytes) is another."""

    key: str
    signed: bytes
    here: bytes


Departure: TypeAlias = DeadlineDiffers | AmountDiffers | RequirementsDiffer


def departures(
    read: Sequence[PlannedMilestone], signed: Sequence[Milestone]
) -> tuple[Departure, ...]:
    """Every difference, in the agreement's order."""
    return tuple(_departures(read, signed))


def as_signed(
    read: Sequence[PlannedMilestone], signed: Sequence[Milestone]
) -> tuple[PlannedMilestone, ...]:
    """The milestones as people see them, with what was signed of each."""
    return tuple(
        replace(
            planned,
            amount=milestone.amount,
            deadline=milestone.deadline,
            requirements_hash=milestone.requirements_hash,
        )
        for planned, milestone in zip(read, signed, strict=True)
    )


def _departures(
    read: Sequence[PlannedMilestone], signed: Sequence[Milestone]
) -> Iterator[Departure]:
    for planned, milestone in zip(read, signed, strict=True):
        if planned.deadline != milestone.deadline:
            yield DeadlineDiffers(planned.key, milestone.deadline, planned.deadline)
        if planned.amount != milestone.amount:
            yield AmountDiffers(planned.key, milestone.amount, planned.amount)
        if planned.requirements_hash != milestone.requirements_hash:
            hashes = (milestone.requirements_hash, planned.requirements_hash)
            yield RequirementsDiffer(planned.key, *hashes)
