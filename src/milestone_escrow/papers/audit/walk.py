"""Every event of an agreement taken as a step of the status table, with its money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    Event,
    MilestoneAssigned,
    MilestoneAttested,
    MilestoneDisputed,
    MilestoneFinalized,
    MilestonePaid,
    MilestoneResolved,
    MilestoneRuled,
    MilestonesFunded,
    MilestoneSubmitted,
)
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.lifecycle import (
    Split,
    State,
    Status,
    fee,
    held,
    payee,
)
from milestone_escrow.protocol.receivables import handed


@dataclass
class Walk:
    """The states that an agreement's events lead to, and its books. Token units."""

    bound: BoundAgreement
    states: list[State] = field(default_factory=list)
    is_open: bool = False
    paid_in: int = 0
    paid_out: int = 0
    fees: int = 0
    given_back: int = 0
    carried_on: int = 0

    def __post_init__(self) -> None:
        self.states = [State()] * len(self.bound.milestones)
        self._owed: dict[int, Split] = {}

    @property
    def held(self) -> int:
        pairs = zip(self.bound.milestones, self.states, strict=True)
        return sum(held(milestone, state) for milestone, state in pairs)

    def run(self, events: Iterable[Event]) -> Walk:
        """Take every step.

        Raises:
            EscrowError: one that the status table does not allow, or that does not fit the terms.
        """
        for event in events:
            self._step(event)
        self._require(self.is_open, "it was never opened")
        self._require(not self._owed, "a decision was not followed by its payment")
        return self

    def _step(self, event: Event) -> None:
        if isinstance(event, AgreementOpened):
            same = (event.terms, event.milestones) == (self.bound.terms, self.bound.milestones)
            self._require(same, "it was opened with other terms")
            self._require(not self.is_open, "it was opened twice")
            self.is_open = True
            return
        self._require(self.is_open, "something happened before it was opened")
        if isinstance(event, MilestonesFunded):
            self._fund(event)
        elif isinstance(event, AgreementAmended):
            self._amend(event)
        elif isinstance(event, MilestonePaid):
            self._pay(event)
        else:
            index = getattr(event, "milestone", None)
            if isinstance(index, int):
                self._decide(index, event)

    def _fund(self, event: MilestonesFunded) -> None:
        cost = 0
        for index in event.milestones:
            milestone = self.bound.milestones[index]
            step = transitions.fund(milestone, self.states[index], event.place.time)
            self._take(index, step)
            cost += milestone.amount
        self._require(cost == event.amount, "another amount was paid in than was due")
        self.paid_in += event.amount

    def _amend(self, event: AgreementAmended) -> None:
        if event.replaces != self.bound.id:
            return
        carried = 0
        for index in event.closes:
            milestone, state = self.bound.milestones[index], self.states[index]
            self._require(state.status is not Status.SETTLED, "a settled milestone was closed")
            carried += held(milestone, state)
            closed = replace(state, status=Status.SETTLED, paid=milestone.amount, pending=0)
            self.states[index] = closed
        self._require(carried == event.carried, "a change order moved another amount than was held")
        self.carried_on += carried

    def _decide(self, index: int, event: Event) -> None:
        terms, now = self.bound.terms, event.place.time
        milestone, state = self.bound.milestones[index], self.states[index]
        self._require(index not in self._owed, "a decision was not followed by its payment")
        if isinstance(event, MilestoneAttested):
            what = Attestation(
                event.agreement_id, index, event.verdict, event.amount, event.evidence_hash,
                event.issued_at, now,
            )  # fmt: skip
            self._take(index, transitions.attest(terms, milestone, state, what, now), event.clock)
        elif isinstance(event, MilestoneSubmitted):
            step = transitions.submit(terms, milestone, state, event.payee, now)
            self._take(index, step, event.clock)
        elif isinstance(event, MilestoneDisputed):
            step = transitions.dispute(terms, milestone, state, event.party, now)
            self._take(index, step, event.clock)
        elif isinstance(event, MilestoneRuled):
            split = Split(event.to_payee, event.to_buyer)
            self._take(index, transitions.rule(terms, milestone, state, split, terms.arbiter, now))
        elif isinstance(event, MilestoneResolved):
            split = Split(event.to_payee, event.to_buyer)
            both = {terms.buyer, payee(terms, state)}
            self._take(index, transitions.resolve(terms, milestone, state, split, both))
        elif isinstance(event, MilestoneFinalized):
            self._require(state.status is event.status, "time decided out of another status")
            self._take(index, transitions.finalize(terms, milestone, state, now))
        elif isinstance(event, MilestoneAssigned):
            self._require(event.payee == payee(terms, state), "somebody else sold it")
            self.states[index] = handed(state, event.assignee)

    def _take(self, index: int, step: transitions.Transition, clock: int = 0) -> None:
        if clock and step.state.status.holds and step.state.status is not Status.FUNDED:
            self._require(step.state.clock == clock, "a clock was set to another time")
        self.states[index] = step.state
        if step.split.total:
            self._owed[index] = step.split

    def _pay(self, event: MilestonePaid) -> None:
        terms = self.bound.terms
        owed = self._owed.pop(event.milestone, Split(0, 0))
        gross = event.to_payee + event.fee
        self._require((gross, event.to_buyer) == (owed.to_payee, owed.to_buyer),
                      "another amount was paid than was decided")  # fmt: skip
        self._require(event.fee == fee(terms, gross), "the fee is not the one agreed")
        right = payee(terms, self.states[event.milestone])
        self._require(not gross or event.payee == right, "somebody else was paid")
        self.paid_out += event.to_payee
        self.fees += event.fee
        self.given_back += event.to_buyer

    def _require(self, condition: bool, otherwise: str) -> None:
        if not condition:
            raise EscrowError(f"{self.bound.agreement.reference}: {otherwise}")
