"""One refusal, ready to be told: each part of a message says after a colon how it is to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.naming import account_name, milestone_name
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.when import format_time
from milestone_escrow.protocol.lifecycle import silence
from milestone_escrow.words.messages import read_by, say

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

    def say(self, what: str, way_out: str | None = None, /, **more: object) -> Told:
        """A refusal with its way out; without one, what the clock leads to."""
        index = self.attempt.index
        tried = say("it") if index is None else self.milestone(index)
        named = {**read_by(self, self.values), "verb": self.verb, "tried": tried, **more}
        out = self.clock if way_out is None else way_out and say(way_out, **named)
        return say(what, **named), out

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
        paid, back = self.amount(split.to_payee), self.amount(split.to_buyer)
        if split.to_payee and split.to_buyer:
            words = say("{paid} to the payee and {back} to the buyer", paid=paid, back=back)
        elif split.to_payee:
            words = say("{paid} to the payee", paid=paid)
        else:
            words = say("{back} to the buyer", back=back) if split.to_buyer else say("nothing")
        return self.time(steps[0].at), words

    def account(self, account: str) -> str:
        agreement = self.attempt.agreement
        return account_name(agreement, account) if agreement else account

    def milestone(self, index: int) -> str:
        agreement = self.attempt.agreement
        known = agreement is not None and index < len(agreement.milestones)
        if agreement is None or not known:
            return say("milestone {index}", index=index)
        return milestone_name(agreement, index)

    def amount(self, units: int) -> str:
        known = self.attempt.token or getattr(self.attempt.agreement, "token", None)
        return format_amount(units, known) if known else say("{units:,} token units", units=units)

    def time(self, moment: int) -> str:
        document = getattr(self.attempt.agreement, "agreement", None)
        return format_time(moment, document.timezone if document else ZoneInfo("UTC"))


Rule: TypeAlias = Callable[[Case], Told]
