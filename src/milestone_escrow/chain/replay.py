"""All state from events alone: what an indexer, an auditor or a test rebuilds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from milestone_escrow.chain.events import (
    AgreementAmended,
    AgreementOpened,
    Event,
    MilestoneAssigned,
    MilestoneAttested,
    MilestoneDisputed,
    MilestonePaid,
    MilestoneRuled,
    MilestonesFunded,
    MilestoneSubmitted,
)
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import (
    PENDING,
    Split,
    State,
    Status,
    after_payout,
    next_sequence,
)
from milestone_escrow.protocol.terms import Milestone, Terms


@dataclass(frozen=True, slots=True)
class Replayed:
    """An agreement as its events tell it. Unlike on chain, `paid` stays known once settled."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]
    states: tuple[State, ...]


def replay(events: Iterable[Event]) -> Replayed:
    """Rebuild one agreement from its events, in their order.

    Raises:
        ChainError: the opening is missing.
    """
    opened: AgreementOpened | None = None
    states: dict[int, State] = {}
    for event in events:
        if isinstance(event, AgreementOpened):
            opened = event
            states = dict.fromkeys(range(len(event.milestones)), State())
        elif opened is None:
            raise ChainError("the event that opened the agreement is missing")
        elif isinstance(event, MilestonesFunded):
            for index in event.milestones:
                states[index] = replace(states[index], status=Status.FUNDED)
        elif isinstance(event, AgreementAmended):
            if event.replaces == opened.agreement_id:
                for index in event.closes:
                    states[index] = _closed(opened.milestones[index], states[index])
        elif hasattr(event, "milestone"):
            index = event.milestone
            states[index] = _after(opened, opened.milestones[index], states[index], event)
    if opened is None:
        raise ChainError("the event that opened the agreement is missing")
    ordered = tuple(states[index] for index in range(len(opened.milestones)))
    return Replayed(opened.agreement_id, opened.terms, opened.milestones, ordered)


def _after(opened: AgreementOpened, milestone: Milestone, state: State, event: Event) -> State:
    if isinstance(event, MilestonePaid):
        return after_payout(milestone, state, Split(event.to_payee + event.fee, event.to_buyer))
    if isinstance(event, MilestoneAttested):
        return _attested(opened.terms, state, event)
    if isinstance(event, MilestoneAssigned):
        return replace(state, assignee=event.assignee, sequence=next_sequence(state))
    if isinstance(event, MilestoneSubmitted):
        return _clocked(state, Status.SUBMITTED, event.clock)
    if isinstance(event, MilestoneDisputed):
        over = state.status in PENDING
        status = Status.DISPUTED_OVER_VERDICT if over else Status.DISPUTED_BEFORE_VERDICT
        return _clocked(state, status, event.clock)
    if isinstance(event, MilestoneRuled) and not event.to_payee + event.to_buyer:
        # Nothing was paid, so no payment follows that would say so.
        return after_payout(milestone, state, Split(0, 0))
    return state  # what was decided shows in the payment that follows


def _attested(terms: Terms, state: State, event: MilestoneAttested) -> State:
    state = replace(state, issued_at=event.issued_at)
    if event.verdict is Verdict.REJECTED:
        return _clocked(replace(state, pending=0), Status.REFUND_PENDING, event.clock)
    if terms.objection_period == 0:
        return state
    return _clocked(replace(state, pending=event.amount), Status.RELEASE_PENDING, event.clock)


def _closed(milestone: Milestone, state: State) -> State:
    """Settled by a change order: what was held has left for the new agreement."""
    return replace(state, status=Status.SETTLED, paid=milestone.amount, pending=0)


def _clocked(state: State, status: Status, clock: int) -> State:
    return replace(state, status=status, clock=clock, sequence=next_sequence(state))
