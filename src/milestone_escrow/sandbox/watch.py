"""Follows every agreement on a chain: what happened, in people's words, and what falls due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from milestone_escrow.chain.contract.events import (
    AgreementOpened,
    CreditWithdrawn,
    Event,
    MilestoneAttested,
    MilestoneDisputed,
    MilestoneFinalized,
    MilestonePaid,
    MilestoneResolved,
    MilestoneRuled,
    MilestonesFunded,
    MilestoneSubmitted,
    PayoutCredited,
)
from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.when import format_time
from milestone_escrow.keys.sandbox_people import role_of
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.token import Token
from milestone_escrow.sandbox.silence import Due, dues, silent
from milestone_escrow.words.listing import counted, listed, person

Library = Callable[[bytes], "Agreement | None"]
"""The document behind an agreement's id, where this machine has it."""

UTC = ZoneInfo("UTC")


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
    def zone(self) -> ZoneInfo:
        return self.document.timezone if self.document else UTC

    @property
    def name(self) -> str:
        return self.document.reference if self.document else f"0x{self.id.hex()[:8]}…"

    def milestone(self, index: int) -> str:
        return self.document.milestones[index].key if self.document else f"milestone {index + 1}"

    def person(self, account: Address) -> str:
        if self.document and self.document.roles(account):
            return person(self.document, account)
        return role_of(account)

    def amount(self, units: int) -> str:
        return format_amount(units, self.token)

    def time(self, moment: int) -> str:
        return format_time(moment, self.zone)


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
            lines += [f"{when(event, known)}  {line}" for line in self._lines(event, known)]
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
        token = self.reader.token_at(event.terms.token) or Token("tokens", event.terms.token, 0)
        return Watched(event.agreement_id, event.terms, event.milestones, token)

    def _known(self, event: Event) -> Watched | None:
        known = self.agreements.get(getattr(event, "agreement_id", b""))
        if known and known.document is None:
            known.document = self.library(known.id)
        return known

    def _lines(self, event: Event, known: Watched | None) -> Iterator[str]:
        if isinstance(event, (PayoutCredited, CreditWithdrawn)):
            yield self._credit(event)
        elif known:
            for line in _tell(event, known):
                yield f"{known.name}: {line}"

    def _credit(self, event: PayoutCredited | CreditWithdrawn) -> str:
        token = self.reader.token_at(event.token) or Token("tokens", event.token, 0)
        who, amount = role_of(event.account), format_amount(event.amount, token)
        if isinstance(event, CreditWithdrawn):
            return f"{who} has collected {amount} with `withdraw`"
        return f"{who} cannot receive {amount}; it waits for `escrow withdraw`"


def when(event: Event, known: Watched | None) -> str:
    return format_time(event.place.time, known.zone if known else UTC)


def _tell(event: Event, known: Watched) -> Iterator[str]:
    """An event in people's words; payments say what the decision before them came to."""
    if isinstance(event, AgreementOpened):
        total = known.amount(sum(m.amount for m in event.milestones))
        buyer, supplier = known.person(event.buyer), known.person(event.supplier)
        count = counted(len(event.milestones), "milestone")
        yield f"opened, {buyer} buys from {supplier}, {count}, {total}"
    elif isinstance(event, MilestonesFunded):
        keys = listed([known.milestone(index) for index in event.milestones])
        yield f"{known.person(event.funder)} pays in {known.amount(event.amount)} for {keys}"
    elif isinstance(event, MilestonePaid):
        yield from _paid(event, known)
    elif isinstance(event, MilestoneResolved):
        yield f"{known.milestone(event.milestone)} is settled by consent"
    elif hasattr(event, "milestone"):
        yield _decision(event, known, known.milestone(event.milestone))


def _paid(event: MilestonePaid, known: Watched) -> Iterator[str]:
    key = known.milestone(event.milestone)
    if event.to_payee:
        fee = f" and {known.amount(event.fee)} fee" if event.fee else ""
        payee = known.person(event.payee)
        yield f"{known.amount(event.to_payee)} paid to {payee} for {key}{fee}"
    if event.to_buyer:
        buyer = known.person(known.terms.buyer)
        yield f"{known.amount(event.to_buyer)} given back to {buyer} for {key}"


def _decision(event: Event, known: Watched, key: str) -> str:
    if isinstance(event, MilestoneAttested):
        names = listed([known.person(known.terms.verifiers[place]) for place in event.signers])
        accepted = event.verdict is Verdict.ACCEPTED
        verdict = f"accepted up to {known.amount(event.amount)}" if accepted else "rejected"
        effect = ""
        if event.clock > event.place.time:
            effect = f"; takes effect on {known.time(event.clock)}"
        return f"{key} {verdict} by {names}{effect}"
    if isinstance(event, MilestoneSubmitted):
        until = known.time(event.clock)
        return f"{known.person(event.payee)} submits {key}; paid on {until} unless disputed"
    if isinstance(event, MilestoneDisputed):
        party, until = known.person(event.party), known.time(event.clock)
        ruler = "the arbiter has" if known.terms.has_arbiter else "both sides have"
        return f"{party} disputes {key}; {ruler} until {until}"
    if isinstance(event, MilestoneRuled):
        return f"{known.person(known.terms.arbiter)} rules on {key}"
    if isinstance(event, MilestoneFinalized):
        return f"time decides {key}: {_silence(event, known)}"
    return key


def _silence(event: MilestoneFinalized, known: Watched) -> str:
    """Who was silent, by the state that was known before the clock decided."""
    for due in known.dues:
        if due.milestone == event.milestone and due.step.status is event.status:
            return silent(known.terms, known.milestones[event.milestone], due)
    return "time has decided"
