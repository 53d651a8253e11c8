"""Change orders: both sides sign new terms, and the money moves over. Money, never state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from milestone_escrow.protocol.eip712 import (
    ZERO_ADDRESS,
    Address,
    Domain,
    Field,
    Struct,
    TypedData,
)
from milestone_escrow.protocol.lifecycle import LAST_EPOCH, State, Status, held
from milestone_escrow.protocol.paying import cost
from milestone_escrow.protocol.terms import AGREEMENT, MILESTONE, Milestone, Terms, numbered
from milestone_escrow.protocol.transitions import changed, refusal

AMENDMENT = Struct(
    "AgreedAmendment",
    (
        Field("bytes32", "replaces"),
        Field("uint64", "closes"),
        Field("uint64", "funds"),
        Field("uint256", "carried"),
        Field("uint32", "epochs"),
        Field("uint64", "validUntil"),
        Field("Agreement", "terms"),
    ),
    members=(AGREEMENT, MILESTONE),
)


@dataclass(frozen=True, slots=True)
class Amendment:
    """Closes milestones of the agreement `replaces` and funds milestones of the new terms.

    `closes` and `funds` are bitmaps over the old and the new milestones. `carried`, in token units,
    and `epochs`, the sum of the closed milestones', are as the old ones stood when it was written:
    once anything is decided or paid of them it counts no more.
    """

    replaces: bytes
    closes: int
    funds: int
    carried: int
    epochs: int
    valid_until: int
    terms: Terms
    milestones: tuple[Milestone, ...]

    def typed_data(self, domain: Domain) -> TypedData:
        """What `signers` sign."""
        message = {
            "replaces": self.replaces,
            "closes": self.closes,
            "funds": self.funds,
            "carried": self.carried,
            "epochs": self.epochs,
            "validUntil": self.valid_until,
            "terms": self.terms.message(self.milestones),
        }
        return TypedData(domain, AMENDMENT, message)


@dataclass(frozen=True, slots=True)
class Carried:
    """What an amendment moves, in token units.

    `pulled` comes from the sender, `returned` goes to the buyer; one of them is 0.
    """

    carried: int
    pulled: int
    returned: int


def signers(
    terms: Terms, amended: Terms, states: Sequence[State], closes: int
) -> tuple[Address, ...]:
    """Whose consent the contract asks for, in its order: both sides, who takes the place of one,
    and the assignees of what is closed."""
    sides = ((terms.buyer, amended.buyer), (terms.supplier, amended.supplier))
    assignees = [
        state.assignee
        for index, state in enumerate(states)
        if closes >> index & 1 and state.assignee != ZERO_ADDRESS
    ]
    return (
        terms.buyer,
        terms.supplier,
        *(new for old, new in sides if new != old),
        *assignees,
    )


def carried(milestones: Sequence[Milestone], states: Sequence[State], closes: int) -> int:
    """What the closed milestones hold together, token units."""
    pairs = zip(milestones, states, strict=True)
    return sum(held(m, state) for i, (m, state) in enumerate(pairs) if closes >> i & 1)


def epochs(states: Sequence[State], closes: int) -> int:
    """The sum of the closed milestones' epochs, which only ever rise; of one that has come to its
    end, a sum that nobody signs."""
    return sum(
        2**32 - 1 if state.epoch == LAST_EPOCH else state.epoch
        for i, state in enumerate(states)
        if closes >> i & 1
    )


def moved(
    milestones: Sequence[Milestone], states: Sequence[State], amendment: Amendment
) -> Carried:
    """The money that an amendment moves, if it is carried out."""
    there = carried(milestones, states, amendment.closes)
    total = cost(amendment.milestones, amendment.funds)
    return Carried(there, max(total - there, 0), max(there - total, 0))


def close(
    terms: Terms,
    milestones: Sequence[Milestone],
    states: Sequence[State],
    amendment: Amendment,
    consents: Set[Address],
    now: int,
) -> tuple[Mapping[int, State], Carried]:
    """The old milestones that settle, and the money that moves over.

    Raises:
        LifecycleError: another token, expired, a milestone that is settled or does not exist, that
            has changed since it was signed, or a consent that is missing.
    """
    asked, allowed = amendment.terms.token, terms.token
    if asked != allowed:
        raise refusal("RoleNotAllowed", f"the token is {asked}, a change order keeps {allowed}")
    if now > amendment.valid_until:
        raise refusal("SignatureExpired", f"valid until {amendment.valid_until}, it is {now}")
    if not 0 < amendment.closes < 1 << len(milestones):
        raise refusal(
            "UnknownMilestones", f"closes {amendment.closes:#b} of {len(milestones)} milestones"
        )
    closed: dict[int, State] = {}
    for party in signers(terms, amendment.terms, states, amendment.closes):
        if party not in consents:
            raise refusal("NotAuthorized", f"this change order needs the consent of {party}")
    for index, (milestone, state) in enumerate(zip(milestones, states, strict=True)):
        if amendment.closes >> index & 1:
            if state.status is Status.SETTLED:
                raise refusal("WrongStatus", f"{numbered(index)} is settled")
            closed[index] = replace(state, status=Status.SETTLED, paid=milestone.amount)
    for what, signed, present in (
        ("carried", amendment.carried, carried(milestones, states, amendment.closes)),
        ("epochs", amendment.epochs, epochs(states, amendment.closes)),
    ):
        if signed != present:
            raise changed(what, signed, present)
    return closed, moved(milestones, states, amendment)
