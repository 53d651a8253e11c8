"""What a factor is told, held against every game that the twin allows to be played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import product

import pytest

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import transitions as t
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.assessment import (
    Assessment,
    Kind,
    Security,
    assess,
    offer_cost,
)
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Role, Split, State, Status, end, held, silence
from milestone_escrow.protocol.terms import DAY, Milestone, Terms

BUYER, SUPPLIER, ARBITER, VERIFIER = ("0x" + str(n) * 40 for n in (1, 2, 3, 4))
AMOUNT, DEADLINE = 2, 90 * DAY
START = 10 * DAY
DEPTH = 2


def terms(
    *, arbiter: bool = True, objection: int = 2 * DAY, review: int = 5 * DAY, bps: int = 5_000
) -> Terms:
    return Terms(
        buyer=BUYER,
        supplier=SUPPLIER,
        token="0x" + "5" * 40,
        arbiter=ARBITER if arbiter else ZERO_ADDRESS,
        verifiers=(VERIFIER,),
        objection_period=objection,
        review_period=review,
        arbitration_period=30 * DAY,
        default_payee_bps=bps,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=bytes(32),
        salt=0,
    )


def milestone(*, silence_pays: bool = False, quorum: int = 1) -> Milestone:
    return Milestone(AMOUNT, DEADLINE, silence_pays, quorum, quorum, bytes(32))


def verdict(kind: Verdict, amount: int, now: int) -> Attestation:
    return Attestation(bytes(32), 0, kind, amount, bytes(32), now, now)


Moves = Iterator[tuple[int, State, Split]]


def moves(deal: Terms, one: Milestone, state: State, now: int, *, payee: bool) -> Moves:
    """All that others (and, if told so, the payee) can do, now or at the next end, and when."""
    moments = {now, max(now, end(one, state) - 1), max(now, end(one, state))}
    both = frozenset({BUYER, SUPPLIER}) if payee else frozenset({BUYER})
    splits = [Split(x, y) for x in range(AMOUNT + 1) for y in range(AMOUNT + 1)]
    for at in sorted(moments):
        tries = [
            *(
                lambda at=at, c=c: t.attest(deal, one, state, verdict(Verdict.ACCEPTED, c, at), at)
                for c in range(1, AMOUNT + 1)
            ),
            lambda at=at: t.attest(deal, one, state, verdict(Verdict.REJECTED, 0, at), at),
            lambda at=at: t.dispute(deal, one, state, BUYER, at),
            *(lambda at=at, s=s: t.rule(deal, one, state, s, ARBITER, at) for s in splits),
            *(lambda s=s: t.resolve(deal, one, state, s, both) for s in splits),
            lambda at=at: t.finalize(deal, one, state, at),
        ]
        if payee:
            tries += [
                lambda at=at: t.submit(deal, one, state, SUPPLIER, at),
                lambda at=at: t.dispute(deal, one, state, SUPPLIER, at),
            ]
        for attempt in tries:
            try:
                made = attempt()
            except LifecycleError:
                continue
            yield at, made.state, made.split


DEALS = [
    (terms(arbiter=arbiter, objection=objection, review=review, bps=bps), milestone(
        silence_pays=silence_pays, quorum=quorum))
    for arbiter, objection, review, bps, silence_pays, quorum in product(
        (True, False), (0, 2 * DAY), (0, 5 * DAY), (0, 5_000, 10_000), (True, False), (0, 1)
    )
]  # fmt: skip


@cache
def least(deal: Terms, one: Milestone, state: State, now: int, depth: int) -> int:
    """The least that the payee ends with if the others play against it and it does nothing."""
    if not state.status.holds:
        return 0
    found = [sum(step.split.to_payee for step in silence(deal, one, state, now))]
    if depth:
        found += [
            split.to_payee + least(deal, one, after, at, depth - 1)
            for at, after, split in moves(deal, one, state, now, payee=False)
        ]
    return min(found)


def reachable(deal: Terms, one: Milestone) -> Iterator[tuple[State, int]]:
    """Every state that three moves of anybody lead to, and the moments around its end."""
    seen: set[tuple[State, int]] = set()
    waiting = [(State(status=Status.FUNDED), START, 3)]
    while waiting:
        state, now, depth = waiting.pop()
        for moment in {now, max(now, end(one, state) - 1), max(now, end(one, state))}:
            if (state, moment) not in seen:
                seen.add((state, moment))
                yield state, moment
        if depth and state.status.holds:
            waiting += [
                (after, at, depth - 1)
                for at, after, _ in moves(deal, one, state, now, payee=True)
                if (after, at) not in seen
            ]


@pytest.mark.parametrize("number", range(len(DEALS)))
def test_the_worst_case_is_the_worst_that_can_happen(number: int) -> None:
    deal, one = DEALS[number]
    for state, now in reachable(deal, one):
        told = assess(deal, one, state, now)
        worst = least(deal, one, state, now, DEPTH)
        assert told.worst == worst, (state, now)
        assert told.expected == sum(s.split.to_payee for s in silence(deal, one, state))
        agrees(deal, one, state, now, told)
    least.cache_clear()


def agrees(deal: Terms, one: Milestone, state: State, now: int, told: Assessment) -> None:
    """The verdict says no more and no less than the numbers do."""
    if told.security is Security.TIME_ONLY:
        assert told.worst == told.expected > 0
        assert told.stoppers == ()
    if told.security in (Security.OBJECTION_POSSIBLE, Security.BUYER_CAN_STOP):
        assert told.worst < told.expected or deal.default_payee_bps == 10_000 or not told.worst
        assert told.until is not None
        assert told.until > now
    if told.security is Security.UNVERIFIED:
        assert told.expected == 0
    assert (told.security is Security.NOTHING) is (not state.status.holds)
    assert told.held == held(one, state)
    assert (told.expected_at is None) is (told.expected == 0)
    if told.earliest is not None and told.latest is not None:
        assert now <= told.earliest <= max(told.latest, told.earliest)
    if told.expected_at is not None:
        assert told.latest is not None
        assert told.earliest is not None
        assert told.earliest <= told.expected_at <= told.latest
    if told.can_be_assigned:
        assert state.status in (Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING)
        assert now < end(one, state)


def look(state: State, now: int = START, **deal: object) -> Assessment:
    of_milestone = {"silence_pays", "quorum"}
    one = milestone(**{k: v for k, v in deal.items() if k in of_milestone})  # type: ignore[arg-type]
    rest = {k: v for k, v in deal.items() if k not in of_milestone}
    return assess(terms(**rest), one, state, now)  # type: ignore[arg-type]


FUNDED = State(Status.FUNDED)
ACCEPTED = State(
    Status.RELEASE_PENDING, clock=START + 2 * DAY, issued_at=START, pending=AMOUNT, epoch=1
)
SUBMITTED = State(Status.SUBMITTED, clock=START + 5 * DAY, epoch=1)


def test_work_that_nobody_has_checked_is_unverified() -> None:
    told = look(FUNDED)
    assert (told.kind, told.security) == (Kind.MILESTONE, Security.UNVERIFIED)
    assert (told.expected, told.expected_at, told.worst, told.stoppers) == (0, None, 0, ())
    assert told.earliest == START + 2 * DAY
    # Submitted in the last second before the deadline, objected to, accepted in part only before
    # the arbiter's time is over; the rest, objected to again, has an arbiter who takes all of it.
    submitted, objected = DEADLINE - 1, DEADLINE - 1 + 5 * DAY - 1
    accepted = objected + 30 * DAY - 1
    assert told.latest == accepted + 2 * DAY + 3 * DAY - 1 + 30 * DAY
    assert told.latest <= submitted + 5 * DAY + 2 * 3 * DAY + 2 * 30 * DAY


def test_an_accepted_milestone_can_be_objected_to_until_it_is_paid() -> None:
    told = look(ACCEPTED)
    assert (told.security, told.until) == (Security.OBJECTION_POSSIBLE, START + 2 * DAY)
    assert {stopper.role for stopper in told.stoppers} == {Role.BUYER, Role.VERIFIERS}
    assert (told.verified, told.expected, told.worst) == (AMOUNT, AMOUNT, 0)
    assert told.earliest == told.expected_at == START + 2 * DAY
    # Verifiers accept a part of it only, and the rest is submitted in the last second, objected to
    # in the last one of the review, and nobody rules.
    assert told.latest == DEADLINE - 1 + 5 * DAY - 1 + 30 * DAY
    without = look(ACCEPTED, arbiter=False)
    assert {stopper.role for stopper in without.stoppers} == {Role.VERIFIERS}
    assert without.latest == told.latest


def test_after_its_end_only_time_decides() -> None:
    for state, pays in ((ACCEPTED, False), (SUBMITTED, False), (FUNDED, True)):
        told = look(state, DEADLINE, silence_pays=pays)
        assert (told.security, told.worst) == (Security.TIME_ONLY, AMOUNT)
        assert told.earliest == told.latest == told.expected_at == DEADLINE
        assert not told.can_be_assigned


def test_the_buyer_alone_stops_what_no_quorum_has_accepted() -> None:
    for state, pays in ((SUBMITTED, False), (FUNDED, True)):
        told = look(state, silence_pays=pays, quorum=0)
        assert told.security is Security.BUYER_CAN_STOP
        assert [stopper.role for stopper in told.stoppers] == [Role.BUYER]
        assert told.worst == 0
        alone = look(state, silence_pays=pays, quorum=0, arbiter=False)
        assert (alone.security, alone.worst) == (Security.BUYER_CAN_STOP, AMOUNT // 2)
        # Where the agreed default pays the supplier, an objection needs the arbiter's ruling.
        sure = look(state, silence_pays=pays, quorum=0, bps=10_000)
        assert sure.security is Security.OBJECTION_POSSIBLE


def test_what_is_not_held_cannot_be_sold() -> None:
    for state in (State(), State(Status.SETTLED)):
        told = look(state)
        assert (told.security, told.held, told.latest) == (Security.NOTHING, 0, None)
        assert not told.is_funded


def test_a_dispute_is_a_dispute() -> None:
    for status in (Status.DISPUTED_BEFORE_VERDICT, Status.DISPUTED_OVER_VERDICT):
        state = State(status, clock=START + 30 * DAY, pending=AMOUNT, epoch=2)
        assert look(state).security is Security.DISPUTED
        assert look(state, START + 30 * DAY).security is Security.TIME_ONLY


def test_the_fee_comes_out_of_what_the_payee_gets() -> None:
    deal = replace(terms(), fee_bps=100, fee_recipient=ARBITER)
    one = replace(milestone(), amount=10_000)
    told = assess(deal, one, replace(ACCEPTED, pending=10_000), DEADLINE)
    assert (told.held, told.expected, told.worst) == (10_000, 9_900, 9_900)


def test_a_deposit_is_one() -> None:
    one = replace(milestone(quorum=0), deadline=0, pays_on_silence=True)
    assert assess(terms(), one, State(Status.SETTLED), START).kind is Kind.DEPOSIT


def test_the_cost_of_an_offer_is_simple_interest_on_its_price() -> None:
    cost = offer_cost(96_000, 100_000, START, START + 40 * DAY)
    assert (cost.discount, cost.days) == (4_000, 40)
    assert cost.yearly_rate == Fraction(4, 96) * 365 / 40
    assert round(float(cost.yearly_rate) * 100, 1) == 38.0


@pytest.mark.parametrize(("seconds", "days"), [(-5, 1), (0, 1), (1, 1), (DAY, 1), (DAY + 1, 2)])
def test_days_that_have_begun_count(seconds: int, days: int) -> None:
    assert offer_cost(1, 2, START, START + seconds).days == days
