"""What was tried when the contract refused: all that a sentence about it needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field

from milestone_escrow.chain.refusals.wording import Wording
from milestone_escrow.protocol.lifecycle import State, silence


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried: the verb, about which milestone, by whom. Fields unknown stay empty."""

    verb: str
    sender: str = ""
    wording: Wording = field(default_factory=Wording)
    index: int | None = None
    state: State | None = None

    @property
    def milestone(self) -> str:
        return "it" if self.index is None else self.wording.milestone(self.index)

    def clock_hint(self) -> str:
        """What silence leads to for this milestone, and when: "from … anyone can `finalize`"."""
        step = self.silence()
        return f"from {step[0]} anyone can `finalize`, which pays {step[1]}" if step else ""

    def silence(self) -> tuple[str, str] | None:
        """When time decides, and what that pays."""
        agreement = self.wording.agreement
        if agreement is None or self.index is None or self.state is None:
            return None
        steps = silence(agreement.terms, agreement.milestones[self.index], self.state)
        if not steps:
            return None
        split = steps[0].split
        parts = [
            f"{self.wording.amount(units)} to the {who}"
            for units, who in ((split.to_payee, "payee"), (split.to_buyer, "buyer"))
            if units
        ]
        return self.wording.time(steps[0].at), " and ".join(parts) or "nothing"
