"""All state from events alone: what an indexer, an auditor or a test rebuilds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    CreditWithdrawn,
    Event,
    MilestoneAssigned,
    MilestoneAttested,
    MilestoneDisputed,
    MilestoneFinalized,
    MilestonePaid,
    MilestonesFunded,
    MilestoneSubmitted,
    PayoutCredited,
    Place,
)
from milestone_escrow.chain.contract.structs import OpenAgreement, OpenedAgreement
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import (
    PENDING,
    Split,
    State,
    Status,
    advanced,
    after_payout,
    rest_until,
)
from milestone_escrow.protocol.receivables import handed
from milestone_escrow.protocol.terms import Milestone, Terms


@dataclass(frozen=True, slots=True)
class Replayed:
    """An agreement as its events tell it. Unlike on chain, `paid` stays known once settled."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What left a milestone and could not be delivered: `units` wait for `account` to `withdraw`.

    `place` is that of the credit. `milestone` is None for what a change order gave back.
    """

    milestone: int | None
    account: Address
    units: int
    place: Place


def undelivered(agreement: OpenAgreement, events: Iterable[Event]) -> tuple[Undelivered, ...]:
    """What an agreement paid and the contract still keeps for its accounts.

    `events` are its own in order, with the credits of their transactions and every later withdrawal
    by the credited accounts, which take what waits longest, whatever it came from: no more of it
    waits than is left of all. One credit may stand for payouts of several agreements: only what
    this one paid counts.
    """
    terms = agreement.terms
    paid: list[Undelivered] = []
    waiting: list[Undelivered] = []
    for event in events:
        if isinstance(event, MilestonePaid) and event.agreement_id == agreement.id:
            parts = (event.payee, event.to_payee), (terms.fee_recipient, event.fee)
            for account, units in (*parts, (terms.buyer, event.to_buyer)):
                paid.append(Undelivered(event.milestone, account, units, event.place))
        elif isinstance(event, AgreementAmended) and event.agreement_id == agreement.id:
            paid.append(Undelivered(None, terms.buyer, event.carried, event.place))
        elif isinstance(event, PayoutCredited) and event.token == terms.token:
            waiting += _credited(paid, event)
        elif isinstance(event, CreditWithdrawn) and event.token == terms.token:
            waiting = _left(waiting, event)
    return tuple(waiting)


def _left(waiting: list[Undelivered], event: CreditWithdrawn) -> list[Undelivered]:
    """What is waiting still after a withdrawal: the newest of its account, as far as it goes."""
    found: list[Undelivered] = []
    rest = event.remaining
    for one in reversed(waiting):
        units = min(rest, one.units) if one.account == event.account else one.units
        if one.account == event.account:
            rest -= units
        found += [replace(one, units=units)] if units else []
    return found[::-1]


def collected(
    agreement: OpenAgreement, events: Sequence[Event], withdrawal: CreditWithdrawn
) -> tuple[Undelivered, ...]:
    """What of an agreement's payouts one of its `events`, a withdrawal, has delivered."""
    at = events.index(withdrawal)
    before, after = undelivered(agreement, events[:at]), undelivered(agreement, events[: at + 1])
    still = {(one.milestone, one.account, one.place): one.units for one in after}
    taken = (
        replace(one, units=one.units - still.get((one.milestone, one.account, one.place), 0))
        for one in before
    )
    return tuple(one for one in taken if one.units)


def _credited(paid: list[Undelivered], event: PayoutCredited) -> list[Undelivered]:
    """The payouts that a credit stands for, as far as it goes; they are taken off `paid`."""
    found: list[Undelivered] = []
    rest = event.amount
    for at, one in enumerate(paid):
        if one.place.transaction == event.place.transaction and one.account == event.account:
            units = min(rest, one.units)
            rest -= units
            paid[at] = replace(one, units=one.units - units)
            found += [replace(one, units=units, place=event.place)] if units else []
    return found


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
        split = Split(event.to_payee + event.fee, event.to_buyer)
        return after_payout(milestone, state, split, state.clock)
    if isinstance(event, MilestoneAttested):
        return _attested(terms, milestone, state, event)
    if isinstance(event, MilestoneAssigned):
        return handed(state, event.assignee)
    if isinstance(event, MilestoneSubmitted):
        return _clocked(state, Status.SUBMITTED, event.clock)
    if isinstance(event, MilestoneDisputed):
        over = state.status in PENDING
        status = Status.DISPUTED_OVER_VERDICT if over else Status.DISPUTED_BEFORE_VERDICT
        return _clocked(state, status, event.clock)
    if isinstance(event, MilestoneFinalized):
        return replace(advanced(state), clock=rest_until(terms, milestone, event.place.time))
    return state  # what was decided shows in the payment that follows


def _attested(terms: Terms, milestone: Milestone, state: State, event: MilestoneAttested) -> State:
    state = replace(state, issued_at=event.issued_at)
    accepted = event.verdict is Verdict.ACCEPTED
    certified = event.amount if accepted else 0
    if state.status is Status.DISPUTED_OVER_VERDICT:
        return _clocked(replace(state, pending=certified), state.status, event.clock)
    if accepted and terms.objection_period == 0:
        return replace(advanced(state), clock=rest_until(terms, milestone, event.clock))
    status = Status.RELEASE_PENDING if accepted else Status.REFUND_PENDING
    return _clocked(replace(state, pending=certified), status, event.clock)


def _closed(milestone: Milestone, state: State) -> State:
    """Settled by a change order: what was held has left for the new agreement."""
    return replace(state, status=Status.SETTLED, paid=milestone.amount, pending=0)


def _clocked(state: State, status: Status, clock: int) -> State:
    return replace(advanced(state), status=status, clock=clock)
