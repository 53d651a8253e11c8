"""The right to a milestone's payout, and handing it on: assignments and offers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from milestone_escrow.protocol.acts import ONCE, TARGET, typed_act
from milestone_escrow.protocol.eip712 import (
    ZERO_ADDRESS,
    Address,
    Domain,
    Field,
    Struct,
    TypedData,
)
from milestone_escrow.protocol.lifecycle import State, Status, end, held, next_sequence, payee
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.transitions import (
    Transition,
    refusal,
    require_before,
    require_caller,
    require_status,
)

ASSIGNABLE = frozenset({Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING})

ASSIGNMENT = Struct("Assignment", (*TARGET, Field("address", "assignee"), *ONCE))
OFFER = Struct(
    "Offer",
    (
        *TARGET,
        Field("address", "financier"),
        Field("uint128", "price"),
        Field("uint128", "held"),
        *ONCE,
    ),
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The payee hands the right to the payout to `assignee`."""

    agreement_id: bytes
    milestone: int
    assignee: Address
    sequence: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the payee signs."""
        return typed_act(domain, ASSIGNMENT, self)


@dataclass(frozen=True, slots=True)
class Offer:
    """The payee sells the right to the payout; `financier` zero = anyone may buy.

    `price` and `held` are token units; `held` and `sequence` pin what is sold, so that a
    certificate that lands first cannot make a financier overpay.
    """

    agreement_id: bytes
    milestone: int
    financier: Address
    price: int
    held: int
    sequence: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the payee signs."""
        return typed_act(domain, OFFER, self)


def assign(
    terms: Terms,
    milestone: Milestone,
    state: State,
    assignee: Address,
    caller: Address,
    now: int,
    *,
    contract: Address,
) -> Transition:
    """The payee hands the receivable on, to nobody who decides about it."""
    _require_assignable(terms, milestone, state, assignee, now, contract)
    require_caller(caller, payee(terms, state))
    return Transition(replace(state, assignee=assignee, sequence=next_sequence(state)))


def buy(
    terms: Terms,
    milestone: Milestone,
    state: State,
    offer: Offer,
    financier: Address,
    now: int,
    *,
    contract: Address,
) -> Transition:
    """The financier takes the payee's offer; the price goes straight to the payee."""
    _require_assignable(terms, milestone, state, financier, now, contract)
    rest = held(milestone, state)
    if (offer.held, offer.sequence) != (rest, state.sequence):
        raise refusal(
            "OfferOutdated",
            f"offered while {offer.held} were held at sequence {offer.sequence}, "
            f"now {rest} are held at {state.sequence}",
        )
    if not 1 <= offer.price <= rest:
        raise refusal("AmountOutOfBounds", f"price {offer.price}, allowed are 1 to {rest}")
    if offer.financier not in (ZERO_ADDRESS, financier):
        require_caller(financier, offer.financier)
    if now > offer.valid_until:
        raise refusal("SignatureExpired", f"valid until {offer.valid_until}, it is {now}")
    return Transition(replace(state, assignee=financier, sequence=next_sequence(state)))


def _require_assignable(
    terms: Terms,
    milestone: Milestone,
    state: State,
    assignee: Address,
    now: int,
    contract: Address,
) -> None:
    require_status(state, ASSIGNABLE)
    require_before(now, end(milestone, state))
    if assignee in (ZERO_ADDRESS, contract, terms.arbiter, *terms.verifiers):
        raise refusal("RoleNotAllowed", f"{assignee} decides about this money and may not own it")
