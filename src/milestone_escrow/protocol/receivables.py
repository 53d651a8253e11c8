"""The right to a milestone's payout, and handing it on: assignments and offers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from milestone_escrow.protocol.acts import (
    EPOCH,
    HELD,
    TARGET,
    UNTIL,
    Dispute,
    Resolution,
    Ruling,
    Submission,
    typed_act,
)
from milestone_escrow.protocol.eip712 import (
    ZERO_ADDRESS,
    Address,
    Domain,
    Field,
    Struct,
    TypedData,
)
from milestone_escrow.protocol.lifecycle import (
    LAST_EPOCH,
    LAST_HANDOVER,
    State,
    Status,
    end,
    held,
    payee,
)
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.transitions import (
    Transition,
    changed,
    refusal,
    require_before,
    require_caller,
    require_status,
)

ASSIGNABLE = frozenset({Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING})

_HANDOVER = Field("uint8", "handover")
ASSIGNMENT = Struct("Assignment", (*TARGET, Field("address", "assignee"), _HANDOVER, UNTIL))
OFFER = Struct(
    "Offer",
    (
        *TARGET,
        Field("address", "financier"),
        Field("uint128", "price"),
        HELD,
        EPOCH,
        _HANDOVER,
        UNTIL,
    ),
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The payee hands the right to the payout to `assignee`; `handover` counts how often it was."""

    agreement_id: bytes
    milestone: int
    assignee: Address
    handover: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the payee signs."""
        return typed_act(domain, ASSIGNMENT, self)


@dataclass(frozen=True, slots=True)
class Offer:
    """The payee sells the right to the payout; `financier` zero = anyone may buy.

    `price` and `held` are token units. `epoch` and `handover` pin what is sold, so that a
    certificate that lands first cannot make a financier overpay; what leaves the milestone by
    consent comes off the price.
    """

    agreement_id: bytes
    milestone: int
    financier: Address
    price: int
    held: int
    epoch: int
    handover: int
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
    return Transition(handed(state, assignee))


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
    for what, signed, present in (
        ("epoch", offer.epoch, state.epoch),
        ("handover", offer.handover, state.handover),
    ):
        if signed != present:
            raise changed(what, signed, present)
    if offer.held < rest:
        raise changed("held", offer.held, rest)
    low = offer.held - rest + 1
    if not low <= offer.price <= offer.held:
        raise refusal(
            "AmountOutOfBounds", f"price {offer.price}, allowed are {low} to {offer.held}"
        )
    if offer.financier not in (ZERO_ADDRESS, financier):
        require_caller(financier, offer.financier)
    if now > offer.valid_until:
        raise refusal("SignatureExpired", f"valid until {offer.valid_until}, it is {now}")
    return Transition(handed(state, financier))


def price(offer: Offer, rest: int) -> int:
    """What an offer costs while `rest` is held, token units: less what has left since it was
    signed."""
    return offer.price - (offer.held - rest)


def stands(
    act: Submission | Dispute | Ruling | Resolution | Assignment | Offer, rest: int, state: State
) -> bool:
    """Whether nothing has happened since it was signed that voids it, while `rest` is held."""
    if isinstance(act, (Assignment, Offer)) and (
        act.handover != state.handover or act.handover == LAST_HANDOVER
    ):
        return False
    if isinstance(act, Assignment):
        return True
    if isinstance(act, Resolution) and act.held != rest:
        return False
    if isinstance(act, Offer) and not rest <= act.held < act.price + rest:
        return False
    return act.epoch == state.epoch != LAST_EPOCH


def handed(state: State, assignee: Address) -> State:
    """The state once `assignee` is the payee."""
    return replace(state, assignee=assignee, handover=min(state.handover + 1, LAST_HANDOVER))


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
