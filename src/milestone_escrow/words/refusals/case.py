"""One refusal with names for all that it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.naming import account_name, milestone_name
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.when import format_time
from milestone_escrow.protocol.lifecycle import silence
from milestone_escrow.words.messages import say


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
    def document(self) -> Agreement | None:
        """Nothing behind terms read from the chain."""
        return getattr(self.attempt.agreement, "agreement", None)

    def account(self, field: str) -> str:
        agreement, account = self.attempt.agreement, self.values[field]
        return account_name(agreement, account) if agreement else str(account)

    def amount(self, field: str) -> str:
        return self._amount(self.values[field])

    def time(self, field: str) -> str:
        return self._time(self.values[field])

    def milestone(self, field: str) -> str:
        return self._milestone(self.values[field])

    @property
    def tried(self) -> str:
        """The milestone that it was tried with."""
        index = self.attempt.index
        return say("it") if index is None else self._milestone(index)

    @property
    def clock(self) -> str:
        """What silence leads to for this milestone, and when; "" where that is not known."""
        step = self.silence()
        if not step:
            return ""
        return say(
            "from {time} anyone can `finalize`, which pays {split}", time=step[0], split=step[1]
        )

    def silence(self) -> tuple[str, str] | None:
        """When time decides, and what that pays."""
        agreement, index, state = self.attempt.agreement, self.attempt.index, self.attempt.state
        if agreement is None or index is None or state is None:
            return None
        steps = silence(agreement.terms, agreement.milestones[index], state)
        if not steps:
            return None
        split = steps[0].split
        paid, back = self._amount(split.to_payee), self._amount(split.to_buyer)
        if split.to_payee and split.to_buyer:
            words = say("{paid} to the payee and {back} to the buyer", paid=paid, back=back)
        elif split.to_payee:
            words = say("{paid} to the payee", paid=paid)
        else:
            words = say("{back} to the buyer", back=back) if split.to_buyer else say("nothing")
        return self._time(steps[0].at), words

    def _milestone(self, index: int) -> str:
        agreement = self.attempt.agreement
        return (
            milestone_name(agreement, index) if agreement else say("milestone {index}", index=index)
        )

    def _amount(self, units: int) -> str:
        known = self.attempt.token or getattr(self.attempt.agreement, "token", None)
        return format_amount(units, known) if known else say("{units:,} token units", units=units)

    def _time(self, moment: int) -> str:
        return format_time(moment, self.document.timezone if self.document else ZoneInfo("UTC"))


Told: TypeAlias = tuple[str, str]
"""What was refused, and the way out; the latter is "" where there is none."""
Rule: TypeAlias = Callable[[Case], Told]
