"""Selling what a milestone pays: the payee signs a price, and whoever pays it becomes the payee."""

from __future__ import annotations

from milestone_escrow.deals.rights import require_assignable
from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.receivables import Offer, price, stands
from milestone_escrow.words.standing import Standing, amount, person, when


def offer(standing: Standing, financier: Address, asked: int, until: int) -> Offer:
    """What the payee signs: all that is held now for `asked`, to one account or, with the zero
    address, to anyone."""
    about = (standing.bound.id, standing.planned.index)
    counters = (standing.state.epoch, standing.state.handover)
    return Offer(*about, financier, asked, standing.held, *counters, until)


def require_may_own(standing: Standing, account: Address) -> None:
    """Nobody who decides about a milestone may own what it pays.

    Raises:
        EscrowError: the account is a verifier or the arbiter, or the payee already.
    """
    terms = standing.terms
    if account in (terms.arbiter, *terms.verifiers) and account != ZERO_ADDRESS:
        raise EscrowError(
            f"{person(standing.bound, account)} decides about '{standing.key}' and may not own it",
            hint="verifiers and arbiter hold no receivables of their agreement",
        )


def require_stands(standing: Standing, signed: SignedAct) -> None:
    """Refuse an offer that the contract would refuse.

    Raises:
        EscrowError: with the reason.
    """
    assert isinstance(signed.act, Offer)
    offered = signed.act
    if standing.now > offered.valid_until:
        raise EscrowError(
            f"the offer stood until {when(standing, offered.valid_until)}",
            hint="ask the payee for a new one",
        )
    require_assignable(standing)
    if standing.payee not in signed.signatures:
        names = " and ".join(person(standing.bound, one) for one in signed.signatures)
        raise EscrowError(
            f"the offer is by {names or 'nobody'}, and {person(standing.bound, standing.payee)} "
            f"is the payee of '{standing.key}' now",
            hint="only the payee can sell it",
        )
    if not stands(offered, standing.held, standing.state):
        then, now = amount(standing, offered.held), amount(standing, standing.held)
        amounts = f": it held {then}, now {now}" if then != now else ""
        raise EscrowError(
            f"'{standing.key}' has changed since the offer was signed{amounts}",
            hint="ask the payee for a new one",
        )


def price_now(standing: Standing, offered: Offer) -> int:
    """What the offer costs now, token units: less what has left the milestone since."""
    return price(offered, standing.held)


def require_buyer(standing: Standing, offered: Offer, account: Address) -> None:
    """Refuse who may not buy what is offered.

    Raises:
        EscrowError: the offer is to somebody else, or the account decides or owns it already.
    """
    bound = standing.bound
    if offered.financier not in (ZERO_ADDRESS, account):
        raise EscrowError(
            f"the offer is to {person(bound, offered.financier)} alone, and "
            f"{person(bound, account)} is asking",
            hint="ask the payee for an offer to you, or to anyone",
        )
    require_may_own(standing, account)
    if account == standing.payee:
        raise EscrowError(f"'{standing.key}' is yours already", hint="nobody buys from oneself")
