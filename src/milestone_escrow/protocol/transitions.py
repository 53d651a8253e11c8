"""The contract's verbs as pure functions: a state in, the next state and the money out.

Each refuses exactly where the contract refuses, with a `LifecycleError` whose `error` field is
the name of the contract's custom error. Signatures are checked elsewhere: `consents` says who
has agreed, `caller` who acts.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import (
    DISPUTED,
    HOLDING,
    PENDING,
    Role,
    Split,
    State,
    Status,
    advanced,
    after_payout,
    attest_until,
    dispute_needs_arbiter,
    disputing_role,
    end,
    held,
    payee,
    rest_until,
    silence_split,
    time_to_object,
)
from milestone_escrow.protocol.terms import Milestone, Terms

NOTHING = Split(0, 0)


@dataclass(frozen=True, slots=True)
class Transition:
    """The next state, and what left the milestone on the way."""

    state: State
    split: Split = NOTHING


def fund(milestone: Milestone, state: State, now: int) -> Transition:
    """Pays in the amount; a deposit goes on to the payee at once."""
    require_status(state, {Status.UNFUNDED})
    if milestone.is_deposit:
        settled = replace(state, status=Status.SETTLED, paid=milestone.amount)
        return Transition(settled, Split(milestone.amount, 0))
    require_before(now, milestone.deadline)
    return Transition(replace(state, status=Status.FUNDED))


def attest(
    terms: Terms, milestone: Milestone, state: State, attestation: Attestation, now: int
) -> Transition:
    """Decides by a quorum: pays at once, or starts the objection period."""
    if attestation.verdict not in (Verdict.ACCEPTED, Verdict.REJECTED):
        raise refusal("VerdictNotAllowed", "a return for rework changes nothing on chain")
    require_status(state, HOLDING)
    require_before(now, attest_until(milestone, state))
    _require_attestation(milestone, state, attestation, now)
    if not milestone.quorum:
        raise refusal("QuorumNotReached", "this milestone has no verifiers, nobody can attest")
    accepted = attestation.verdict is Verdict.ACCEPTED
    state = replace(state, issued_at=attestation.issued_at)
    certified = attestation.amount if accepted else 0
    if state.status is Status.DISPUTED_OVER_VERDICT:
        # The arbiter keeps the case, and has long enough left to look at the new verdict.
        clock = max(state.clock, now + time_to_object(terms))
        disputed = replace(state, pending=certified)
        return Transition(_start_clock(disputed, Status.DISPUTED_OVER_VERDICT, clock))
    if accepted and terms.objection_period == 0:
        return _pay(terms, milestone, state, Split(certified - state.paid, 0), now)
    period = terms.objection_period if accepted else time_to_object(terms)
    status = Status.RELEASE_PENDING if accepted else Status.REFUND_PENDING
    return Transition(_start_clock(replace(state, pending=certified), status, now + period))


def submit(
    terms: Terms, milestone: Milestone, state: State, caller: Address, now: int
) -> Transition:
    """The payee states that the milestone is done."""
    require_status(state, {Status.FUNDED})
    require_before(now, milestone.deadline)
    if terms.review_period == 0:
        raise refusal("SubmissionsOff", "the agreement has submissions switched off")
    require_caller(caller, payee(terms, state))
    return Transition(_start_clock(state, Status.SUBMITTED, now + terms.review_period))


def dispute(
    terms: Terms, milestone: Milestone, state: State, caller: Address, now: int
) -> Transition:
    """A party objects to what is about to go against it."""
    require_status(state, {Status.FUNDED, Status.SUBMITTED} | PENDING)
    require_before(now, end(milestone, state))
    if dispute_needs_arbiter(milestone, state) and not terms.has_arbiter:
        raise refusal("NoArbiter", "this dispute needs an arbiter, and the agreement has none")
    buyer_disputes = disputing_role(milestone, state) is Role.BUYER
    require_caller(caller, terms.buyer if buyer_disputes else payee(terms, state))
    return Transition(disputed(terms, milestone, state, now))


def disputed(terms: Terms, milestone: Milestone, state: State, now: int) -> State:
    """As an objection leaves the milestone, whoever may object."""
    if state.status in PENDING:
        clock = now + terms.arbitration_period
        return _start_clock(state, Status.DISPUTED_OVER_VERDICT, clock)
    # A submission that nobody could verify need not wait for the deadline.
    waits = state.status is Status.FUNDED or milestone.quorum
    clock = (max(now, milestone.deadline) if waits else now) + terms.arbitration_period
    return _start_clock(state, Status.DISPUTED_BEFORE_VERDICT, clock)


def rule(
    terms: Terms, milestone: Milestone, state: State, split: Split, caller: Address, now: int
) -> Transition:
    """The arbiter splits all that is held."""
    require_status(state, DISPUTED)
    require_before(now, state.clock)
    rest = held(milestone, state)
    _require_split(split, rest, rest)
    if not terms.has_arbiter:
        raise refusal("NotAuthorized", "the agreement has no arbiter")
    require_caller(caller, terms.arbiter)
    return _pay(terms, milestone, state, split, now)


def resolve(
    terms: Terms, milestone: Milestone, state: State, split: Split, consents: Set[Address]
) -> Transition:
    """Splits what is held with the consent of whoever gives something up; clocks go on."""
    require_status(state, HOLDING)
    rest = held(milestone, state)
    _require_split(split, 1 if state.status is Status.FUNDED else rest, rest)
    for needed, party in ((split.to_payee, terms.buyer), (split.to_buyer, payee(terms, state))):
        if needed and party not in consents:
            raise refusal("NotAuthorized", f"this split needs the consent of {party}")
    return Transition(after_payout(milestone, state, split, state.clock), split)


def finalize(terms: Terms, milestone: Milestone, state: State, now: int) -> Transition:
    """Lets time decide."""
    require_status(state, HOLDING)
    until = end(milestone, state)
    if now < until:
        raise refusal("TooEarly", f"the window is open until {until}, it is {now}")
    return _pay(terms, milestone, state, silence_split(terms, milestone, state), now)


def _pay(terms: Terms, milestone: Milestone, state: State, split: Split, now: int) -> Transition:
    """What nobody consented to: whoever a rest goes against has time to object."""
    clock = rest_until(terms, milestone, now)
    return Transition(after_payout(milestone, advanced(state), split, clock), split)


def _start_clock(state: State, status: Status, clock: int) -> State:
    return replace(advanced(state), status=status, clock=clock)


def _require_attestation(
    milestone: Milestone, state: State, attestation: Attestation, now: int
) -> None:
    if now > attestation.valid_until:
        raise refusal("SignatureExpired", f"valid until {attestation.valid_until}, it is {now}")
    if not state.issued_at < attestation.issued_at <= now:
        raise refusal(
            "IssuedAtOutOfBounds",
            f"issued at {attestation.issued_at}, allowed are {state.issued_at + 1} to {now}",
        )
    accepts = attestation.verdict is Verdict.ACCEPTED
    low, high = (state.paid + 1, milestone.amount) if accepts else (0, 0)
    if not low <= attestation.amount <= high:
        raise refusal(
            "AmountOutOfBounds", f"amount {attestation.amount}, allowed are {low} to {high}"
        )


def require_status(state: State, allowed: Set[Status]) -> None:
    if state.status not in allowed:
        names = ", ".join(sorted(status.name.lower() for status in allowed))
        raise refusal("WrongStatus", f"the milestone is {state.status.name.lower()}, not {names}")


def require_before(now: int, until: int) -> None:
    if now >= until:
        raise refusal("TooLate", f"this was possible until {until}, it is {now}")


def _require_split(split: Split, low: int, high: int) -> None:
    if split.to_payee < 0 or split.to_buyer < 0 or not low <= split.total <= high:
        raise refusal(
            "SplitOutOfBounds", f"the split adds up to {split.total}, allowed are {low} to {high}"
        )


def require_caller(caller: Address, allowed: Address) -> None:
    if caller != allowed:
        raise refusal("NotAuthorized", f"{caller} may not do this, only {allowed}")


def changed(what: str, signed: int, present: int) -> LifecycleError:
    """What was signed counts on something as it was then."""
    return refusal("ChangedSince", f"signed at {what} {signed}, it is {present} now")


def refusal(error: str, message: str) -> LifecycleError:
    return LifecycleError(message, error=error)
