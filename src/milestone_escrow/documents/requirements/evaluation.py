"""What an evaluation says of one requirement, and of those within it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from milestone_escrow.documents.requirements.kinds import Requirement


class Fulfilment(str, Enum):
    """Met; missing, which waiting and working may cure; failed, which somebody must look at."""

    MET = "met"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one requirement alone comes to.

    Attributes:
        text: one sentence on why, "2 of 12 photos from supplier".
        since: when it became so, Unix seconds; 0 where that cannot be said.
        independent: whether somebody other than the payee has shown it.
    """

    standing: Fulfilment
    text: str
    since: int = 0
    independent: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A requirement, what it comes to, and the findings on its items.

    `independent` is true where it is met in a way that rests at least in part on somebody who is
    not paid.
    """

    requirement: Requirement
    standing: Fulfilment
    text: str
    since: int = 0
    independent: bool = False
    items: tuple[Evaluation, ...] = ()

    @property
    def is_met(self) -> bool:
        return self.standing is Fulfilment.MET

    def leaves(self) -> Iterator[Evaluation]:
        """The findings on single requirements, in order."""
        if self.items:
            for item in self.items:
                yield from item.leaves()
        else:
            yield self

    def to_json(self) -> dict[str, object]:
        body: dict[str, object] = {
            "requirement": self.requirement.words(),
            "state": self.standing.value,
            "text": self.text,
            "since": self.since or None,
            "independent": self.independent,
        }
        return body | ({"items": [item.to_json() for item in self.items]} if self.items else {})
