"""All state from events alone: what an indexer, an auditor or a test rebuilds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from milestone_escrow.chain.contract.events import (
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
from milestone_escrow.chain.contract.structs import OpenedAgreement
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
    opened: OpenedAgreement | None = None
    states: list[State] = []
    for event in events:
        if isinstance(event, AgreementOpened):
            opened = OpenedAgreement(event.agreement_id, event.terms, event.milestones)
            states = [State()] * len(event.milestones)
        elif opened is None:
            raise ChainError("the event that opened the agreement is missing")
        else:
            advance(opened, states, event)
    if opened is None:
        raise ChainError("the event that opened the agreement is missing")
    return Replayed(opened.id, opened.terms, opened.milestones, tuple(states))


def advance(opened: OpenedAgreement, states: list[State], event: Event) -> list[int]:
    """Take the next event of an agreement into its states; returns which milestones it changed.

    Raises:
        ChainError: it is about a milestone that the agreement does not have.
    """
    changed: list[int] = []
    for index, state in _following(opened, states, event):
        if state is not states[index]:
            states[index] = state
            changed.append(index)
    return changed


def _following(
    opened: OpenedAgreement, states: Sequence[State], event: Event
) -> list[tuple[int, State]]:
    try:
        if isinstance(event, MilestonesFunded):
            return [(i, replace(states[i], status=Status.FUNDED)) for i in event.milestones]
        if isinstance(event, AgreementAmended):
            closed = event.closes if event.replaces == opened.id else ()
            return [(i, _closed(opened.milestones[i], states[i])) for i in closed]
        index = getattr(event, "milestone", None)
        if index is None:
            return []
        milestone, state = opened.milestones[index], states[index]
        return [(index, _after(opened.terms, milestone, state, event))]
    except IndexError:
        count = len(opened.milestones)
        raise ChainError(
            f"an event is about a milestone beyond the {count} of its agreement",
            hint="ask another node",
        ) from None


def _after(terms: Terms, milestone: Milestone, state: State, event: Event) -> State:
    if isinstance(event, MilestonePaid):
        return after_payout(milestone, state, Split(event.to_payee + event.fee, event.to_buyer))
    if isinstance(event, MilestoneAttested):
        return _attested(terms, state, event)
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
