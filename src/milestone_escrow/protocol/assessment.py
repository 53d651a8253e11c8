"""What a factor asks before buying a milestone's payout, answered from the status table alone.

Pure functions over the terms, the milestone, its state and the time. Amounts are what the payee
receives, in token units net of the fee; times are Unix seconds. Nobody's favour is counted: the
buyer may approve at any time, but need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import partial

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import (
    DISPUTED,
    Option,
    Role,
    Silence,
    State,
    Status,
    Verb,
    after_payout,
    attest_until,
    end,
    fee,
    held,
    options,
    payee,
    rest_until,
    silence,
    silence_split,
    time_to_object,
)
from milestone_escrow.protocol.receivables import ASSIGNABLE
from milestone_escrow.protocol.terms import BPS, DAY, Milestone, Terms
from milestone_escrow.protocol.transitions import Transition, attest, dispute, disputed, submit

YEAR_DAYS = 365


class Kind(str, Enum):
    """What silence means for a milestone."""

    DEPOSIT = "deposit"
    MILESTONE = "milestone payment"
    PROGRESS = "progress payment"


class Security(str, Enum):
    """What still stands between the payee and the money.

    NOTHING: no money waits. DISPUTED: somebody objected, and it can still be decided. UNVERIFIED:
    without somebody's act, nothing is paid. BUYER_CAN_STOP: time pays, but the buyer's objection
    alone makes it less. OBJECTION_POSSIBLE: time pays, and an objection has to convince an arbiter
    or the verifiers. TIME_ONLY: nobody can stop it.
    """

    NOTHING = "nothing to sell"
    DISPUTED = "disputed"
    UNVERIFIED = "unverified"
    BUYER_CAN_STOP = "buyer can stop it"
    OBJECTION_POSSIBLE = "objection possible"
    TIME_ONLY = "time only"


@dataclass(frozen=True, slots=True)
class Stopper:
    """Somebody who can still stop or reduce the payment, and before when."""

    role: Role
    verb: Verb
    until: int


@dataclass(frozen=True, slots=True)
class Handover:
    """An earlier assignment of the receivable; `price` is 0 where nothing was paid on chain."""

    payee: Address
    assignee: Address
    price: int
    at: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """A milestone's payout as a factor sees it at a moment.

    Attributes:
        can_be_assigned: whether the contract lets the payee hand it on now.
        held: token units that wait in the contract for it, before the fee.
        verified: the part of them that a quorum has accepted and that is not paid yet.
        expected: what the payee receives if nobody acts any more.
        expected_at: when the last of it arrives; None where nothing does.
        earliest: when the rules can pay at the earliest; None: only with the buyer's favour.
        latest: when all of it has left, whatever anybody does short of consent: proven, objected
            to and decided in the last second each; None where nothing is held.
        worst: what the payee receives at the least, whatever everybody else does.
        until: when the last of the stoppers loses the power; None where there are none.
    """

    kind: Kind
    status: Status
    payee: Address
    can_be_assigned: bool
    held: int
    verified: int
    expected: int
    expected_at: int | None
    earliest: int | None
    latest: int | None
    worst: int
    stoppers: tuple[Stopper, ...]
    handovers: tuple[Handover, ...]
    security: Security

    @property
    def is_funded(self) -> bool:
        return self.status.holds

    @property
    def until(self) -> int | None:
        return max((stopper.until for stopper in self.stoppers), default=None)


def assess(
    terms: Terms,
    milestone: Milestone,
    state: State,
    now: int,
    handovers: Sequence[Handover] = (),
) -> Assessment:
    """Everything that terms, state and time say about a milestone's payout."""
    steps = silence(terms, milestone, state)
    paying = [step for step in steps if step.split.to_payee]
    stoppers = tuple(_stoppers(terms, milestone, state, now))
    worst = _worst(terms, milestone, state, now)
    return Assessment(
        kind=kind_of(milestone),
        status=state.status,
        payee=payee(terms, state),
        can_be_assigned=state.status in ASSIGNABLE and now < end(milestone, state),
        held=held(milestone, state),
        verified=max(state.pending - state.paid, 0) if state.status.holds else 0,
        expected=sum(net(terms, step.split.to_payee) for step in paying),
        expected_at=max(now, paying[-1].at) if paying else None,
        earliest=_earliest(terms, milestone, state, now, paying),
        latest=_latest(terms, milestone, state, now),
        worst=net(terms, worst),
        stoppers=stoppers,
        handovers=tuple(handovers),
        security=_security(terms, milestone, state, now, stoppers),
    )


def kind_of(milestone: Milestone) -> Kind:
    if milestone.is_deposit:
        return Kind.DEPOSIT
    return Kind.PROGRESS if milestone.pays_on_silence else Kind.MILESTONE


def net(terms: Terms, to_payee: int) -> int:
    """What arrives of a payout after the fee."""
    return to_payee - fee(terms, to_payee)


@dataclass(frozen=True, slots=True)
class OfferCost:
    """What selling a payout early costs: `price` now for `face` in `days` days, token units."""

    price: int
    face: int
    days: int

    @property
    def discount(self) -> int:
        return self.face - self.price

    @property
    def yearly_rate(self) -> Fraction:
        """Simple interest a year on the price; 1 = 100 %."""
        return Fraction(self.face - self.price, self.price) * YEAR_DAYS / self.days


def offer_cost(price: int, face: int, now: int, paid_at: int) -> OfferCost:
    """The cost of an offer; days that have begun count, and at least one does."""
    return OfferCost(price, face, max(1, -((now - paid_at) // DAY)))


def _stages(
    terms: Terms, milestone: Milestone, state: State, now: int
) -> Iterator[tuple[State, int]]:
    """This state now, and the one that time leads to where a rest stays, with when it begins."""
    while state.status.holds:
        yield state, now
        now = max(now, end(milestone, state))
        split = silence_split(terms, milestone, state)
        state = after_payout(milestone, state, split, rest_until(terms, milestone, now))


def _stoppers(terms: Terms, milestone: Milestone, state: State, now: int) -> Iterator[Stopper]:
    """Whoever may act before time pays; where time pays nothing, there is nothing to stop."""
    for stage, since in _stages(terms, milestone, state, now):
        if not silence_split(terms, milestone, stage).to_payee:
            continue
        for option in options(terms, milestone, stage):
            if _stops(option) and option.until and option.is_left(since):
                yield Stopper(option.role, option.verb, option.until)


def _stops(option: Option) -> bool:
    """The payee stops nothing, and consent to a refund is the payee's own."""
    return option.verb in (Verb.ATTEST, Verb.RULE) or (option.verb, option.role) == (
        Verb.DISPUTE,
        Role.BUYER,
    )


def _security(
    terms: Terms, milestone: Milestone, state: State, now: int, stoppers: Sequence[Stopper]
) -> Security:
    if not state.status.holds:
        return Security.NOTHING
    if state.status in DISPUTED and any(
        option.verb in (Verb.RULE, Verb.ATTEST) and option.is_left(now)
        for option in options(terms, milestone, state)
    ):
        return Security.DISPUTED
    expected = _by_silence(terms, milestone, state)
    if not expected:
        return Security.UNVERIFIED
    if not stoppers:
        return Security.TIME_ONLY
    paid = 0
    for stage, since in _stages(terms, milestone, state, now):
        if _buyer_may_dispute(terms, milestone, stage, since):
            objected = disputed(terms, milestone, stage, end(milestone, stage) - 1)
            if paid + _by_silence(terms, milestone, objected) < expected:
                return Security.BUYER_CAN_STOP
        paid += silence_split(terms, milestone, stage).to_payee
    return Security.OBJECTION_POSSIBLE


def _worst(terms: Terms, milestone: Milestone, state: State, now: int) -> int:
    """The least that the payee can end with, before the fee, against everybody else's will."""
    if not state.status.holds:
        return 0
    if now >= end(milestone, state):
        split = silence_split(terms, milestone, state)
        after = after_payout(milestone, state, split, rest_until(terms, milestone, now))
        return split.to_payee + _worst(terms, milestone, after, now)
    left = {
        (option.verb, option.role)
        for option in options(terms, milestone, state)
        if option.is_left(now)
    }
    disputable = (Verb.DISPUTE, Role.BUYER) in left
    # A quorum rejects, an arbiter rules against the payee, and the clock makes both final.
    if (Verb.ATTEST, Role.VERIFIERS) in left or (Verb.RULE, Role.ARBITER) in left:
        return 0
    if disputable:
        share = held(milestone, state) * terms.default_payee_bps // BPS
        return 0 if terms.has_arbiter or state.spoken else share
    return _by_silence(terms, milestone, state)


def _earliest(
    terms: Terms, milestone: Milestone, state: State, now: int, paying: Sequence[Silence]
) -> int | None:
    found = [max(now, paying[0].at)] if paying else []
    waits = {
        Verb.ATTEST: terms.objection_period,
        Verb.SUBMIT: terms.review_period,
        Verb.RULE: 0,
    }
    if state.status.holds:
        for option in options(terms, milestone, state):
            if option.verb in waits and option.is_open(now):
                found.append(now + waits[option.verb])
    return min(found, default=None)


def _latest(terms: Terms, milestone: Milestone, state: State, now: int) -> int | None:
    """When the money has left if everybody who can delay it does so, each in the last second."""
    if not state.status.holds:
        return None
    found = [max(now, end(milestone, state))]
    for act, at in _delays(terms, milestone, state, now):
        if at < now:
            continue
        with suppress(LifecycleError):
            found.append(_latest(terms, milestone, act(at).state, at) or at)
    split = silence_split(terms, milestone, state)
    rest = after_payout(milestone, state, split, rest_until(terms, milestone, found[0]))
    found.append(_latest(terms, milestone, rest, found[0]) or found[0])
    return max(found)


def _delays(
    terms: Terms, milestone: Milestone, state: State, now: int
) -> Iterator[tuple[Callable[[int], Transition], int]]:
    """What anybody can do without the other side's consent, and when it delays most: in the last
    second, or so early that what is left of a part is funded in the last one before the deadline
    and can be submitted again."""
    last, until = milestone.deadline - 1, end(milestone, state)
    over = state.status is Status.DISPUTED_OVER_VERDICT
    speaks = attest_until(milestone, state) - 1
    early = last - (time_to_object(terms) if over else terms.objection_period)
    # By speaking again each time before the clock, verifiers keep it open until the deadline.
    keeps = max(now, state.issued_at + 1) <= speaks
    for at in {max(speaks, last), early} if keeps else ():
        kept = state
        if at >= until:
            status = state.status if over else Status.REFUND_PENDING
            kept = replace(state, status=status, clock=at + 1)
        for verdict, amount in (
            (Verdict.ACCEPTED, state.paid + 1),
            (Verdict.ACCEPTED, milestone.amount),
            (Verdict.REJECTED, 0),
        ):
            yield partial(_attested, terms, milestone, kept, verdict, amount), at
    owner = payee(terms, state)
    yield partial(submit, terms, milestone, state, owner), last
    for party in (terms.buyer, owner):
        yield partial(dispute, terms, milestone, state, party), until - 1


def _attested(
    terms: Terms, milestone: Milestone, state: State, verdict: Verdict, amount: int, at: int
) -> Transition:
    said = Attestation(bytes(32), 0, verdict, amount, bytes(32), issued_at=at, valid_until=at)
    return attest(terms, milestone, state, said, at)


def _buyer_may_dispute(terms: Terms, milestone: Milestone, state: State, now: int) -> bool:
    return any(
        (option.verb, option.role) == (Verb.DISPUTE, Role.BUYER) and now < (option.until or 0)
        for option in options(terms, milestone, state)
    )


def _by_silence(terms: Terms, milestone: Milestone, state: State) -> int:
    return sum(step.split.to_payee for step in silence(terms, milestone, state))
