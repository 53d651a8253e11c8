"""Follows every agreement on a chain: what happened, in people's words, and what falls due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from milestone_escrow.chain.contract.events import (
    AgreementOpened,
    CreditWithdrawn,
    Event,
    PayoutCredited,
)
from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.token import Token
from milestone_escrow.sandbox.silence import Due, dues
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names
from milestone_escrow.words.telling import Teller, tell_credit

Library = Callable[[bytes], "Agreement | None"]
"""The document behind an agreement's id, where this machine has it."""


@dataclass
class Watched:
    """One agreement as the chain told it; `document` may become known later."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]
    token: Token
    states: tuple[State, ...] = ()
    dues: tuple[Due, ...] = ()
    document: Agreement | None = None

    @property
    def names(self) -> Names:
        return Names(self.document, self.terms, self.token, in_sandbox=True)

    @property
    def name(self) -> str:
        return self.document.reference if self.document else f"0x{self.id.hex()[:8]}…"


@dataclass
class Watch:
    """All agreements of one contract, kept up to date by `take`."""

    reader: Reader
    library: Library
    agreements: dict[bytes, Watched] = field(default_factory=dict)

    def take(self, events: Sequence[Event]) -> tuple[str, ...]:
        """Learn what happened; returns it as lines, one for each event worth telling."""
        lines: list[str] = []
        touched: dict[bytes, Watched] = {}
        for event in events:
            if isinstance(event, AgreementOpened):
                self.agreements[event.agreement_id] = self._opened(event)
            known = self._known(event)
            if known:
                touched[known.id] = known
            if line := self._tell(event, known, events):
                lines.append(line)
        for known in touched.values():
            known.states = self.reader.states(known)
            known.dues = dues(known, known.states)
        return tuple(lines)

    def due_by(self, until: int) -> tuple[tuple[Watched, Due], ...]:
        """What time decides by then, over all agreements, the earliest first."""
        found = [
            (known, due)
            for known in self.agreements.values()
            for due in known.dues
            if due.step.at <= until
        ]
        return tuple(sorted(found, key=lambda item: item[1].step.at))

    def _opened(self, event: AgreementOpened) -> Watched:
        token = self._token(event.terms.token)
        return Watched(event.agreement_id, event.terms, event.milestones, token)

    def _known(self, event: Event) -> Watched | None:
        known = self.agreements.get(getattr(event, "agreement_id", b""))
        if known and known.document is None:
            known.document = self.library(known.id)
        return known

    def _tell(self, event: Event, known: Watched | None, events: Sequence[Event]) -> str | None:
        if isinstance(event, (PayoutCredited, CreditWithdrawn)):
            names = Names(token=self._token(event.token), in_sandbox=True)
            who, what = tell_credit(names, event)
            return say(
                "{time}  {who} {what}", time=names.time(event.place.time), who=who, what=what
            )
        if known is None:
            return None
        who, what = Teller(known, events, names=known.names).tell(event)
        time = known.names.time(event.place.time)
        return say(
            "{time}  {agreement}: {who} {what}",
            time=time,
            agreement=known.name,
            who=who,
            what=what,
        )

    def _token(self, account: Address) -> Token:
        return self.reader.token_at(account) or Token("tokens", account, 0)
