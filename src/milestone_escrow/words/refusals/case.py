"""One refusal, ready to be told: each part of a message says after a colon how it is to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any, TypeAlias

from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.protocol.lifecycle import silence
from milestone_escrow.words.messages import read_by, say
from milestone_escrow.words.names import Names

Told: TypeAlias = tuple[str, str]
"""What was refused, and the way out; the latter is "" where there is none."""


@dataclass(frozen=True, slots=True)
class Case:
    """The values of a custom error, by the names of its fields, and what was tried."""

    values: Mapping[str, Any]
    attempt: Attempt

    def __getitem__(self, field: str) -> Any:
        return self.values[field]

    @property
    def verb(self) -> str:
        return self.attempt.verb

    @property
    def names(self) -> Names:
        return Names.of(self.attempt.agreement, self.attempt.token)

    def say(self, what: str, way_out: str | None = None, /, **more: object) -> Told:
        """A refusal with its way out; without one, what the clock leads to."""
        index = self.attempt.index
        names = replace(self.names, with_seconds=self._looks_alike(what))
        tried = say("it") if index is None else names.milestone(index)
        named = {**read_by(names, self.values), "verb": self.verb, "tried": tried, **more}
        out = self.clock if way_out is None else way_out and say(way_out, **named)
        return say(what, **named), out

    def _looks_alike(self, message: str) -> bool:
        """Whether two different times of a message would read the same."""
        fields = [
            name for _, name, kind, _ in Formatter().parse(message) if name and kind == "time"
        ]
        moments = {self.values[name] for name in fields}
        return len({self.names.time(moment) for moment in moments}) < len(moments)

    @property
    def clock(self) -> str:
        """What silence leads to for this milestone, and when; "" where that is not known."""
        if not (step := self.silence()):
            return ""
        time, split = step
        return say("from {time} anyone can `finalize`, which pays {split}", time=time, split=split)

    def silence(self) -> tuple[str, str] | None:
        """When time decides, and what that pays."""
        agreement, index, state = self.attempt.agreement, self.attempt.index, self.attempt.state
        if agreement is None or index is None or state is None:
            return None
        steps = silence(agreement.terms, agreement.milestones[index], state)
        if not steps:
            return None
        split = steps[0].split
        paid, back = map(self.names.amount, (split.to_payee, split.to_buyer))
        if split.to_payee and split.to_buyer:
            words = say("{paid} to the payee and {back} to the buyer", paid=paid, back=back)
        elif split.to_payee:
            words = say("{paid} to the payee", paid=paid)
        else:
            words = say("{back} to the buyer", back=back) if split.to_buyer else say("nothing")
        return self.names.time(steps[0].at), words


Rule: TypeAlias = Callable[[Case], Told]
