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
from milestone_escrow.protocol.lifecycle import State, Status, held
from milestone_escrow.protocol.paying import cost
from milestone_escrow.protocol.terms import AGREEMENT, MILESTONE, Milestone, Terms, numbered
from milestone_escrow.protocol.transitions import refusal

AMENDMENT = Struct(
    "Amendment",
    (
        Field("bytes32", "replaces"),
        Field("uint64", "closes"),
        Field("uint64", "funds"),
        Field("uint64", "validUntil"),
        Field("Agreement", "terms"),
    ),
    members=(AGREEMENT, MILESTONE),
)


@dataclass(frozen=True, slots=True)
class Amendment:
    """Closes milestones of the agreement `replaces` and funds milestones of the new terms.

    `closes` and `funds` are bitmaps over the old and the new milestones.
    """

    replaces: bytes
    closes: int
    funds: int
    valid_until: int
    terms: Terms
    milestones: tuple[Milestone, ...]

    def typed_data(self, domain: Domain) -> TypedData:
        """What buyer, supplier and the payee of each closed, assigned milestone sign."""
        message = {
            "replaces": self.replaces,
            "closes": self.closes,
            "funds": self.funds,
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


def signers(terms: Terms, states: Sequence[State], closes: int) -> tuple[Address, ...]:
    """Whose consent the contract asks for, in its order."""
    assignees = [
        state.assignee
        for index, state in enumerate(states)
        if closes >> index & 1 and state.assignee != ZERO_ADDRESS
    ]
    return (terms.buyer, terms.supplier, *assignees)


def moved(
    milestones: Sequence[Milestone], states: Sequence[State], amendment: Amendment
) -> Carried:
    """The money that an amendment moves, if it is carried out."""
    carried = sum(
        held(milestone, state)
        for index, (milestone, state) in enumerate(zip(milestones, states, strict=True))
        if amendment.closes >> index & 1
    )
    total = cost(amendment.milestones, amendment.funds)
    return Carried(carried, max(total - carried, 0), max(carried - total, 0))


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
        LifecycleError: other parties or token, expired, a milestone that is settled or does not
            exist, or a consent that is missing.
    """
    for role in ("buyer", "supplier", "token"):
        asked, allowed = getattr(amendment.terms, role), getattr(terms, role)
        if asked != allowed:
            raise refusal(
                "RoleNotAllowed", f"the {role} is {asked}, a change order keeps {allowed}"
            )
    if now > amendment.valid_until:
        raise refusal("SignatureExpired", f"valid until {amendment.valid_until}, it is {now}")
    if not 0 < amendment.closes < 1 << len(milestones):
        raise refusal(
            "UnknownMilestones", f"closes {amendment.closes:#b} of {len(milestones)} milestones"
        )
    closed: dict[int, State] = {}
    for party in signers(terms, states, amendment.closes):
        if party not in consents:
            raise refusal("NotAuthorized", f"this change order needs the consent of {party}")
    for index, (milestone, state) in enumerate(zip(milestones, states, strict=True)):
        if amendment.closes >> index & 1:
            if state.status is Status.SETTLED:
                raise refusal("WrongStatus", f"{numbered(index)} is settled")
            closed[index] = replace(state, status=Status.SETTLED, paid=milestone.amount)
    return closed, moved(milestones, states, amendment)
