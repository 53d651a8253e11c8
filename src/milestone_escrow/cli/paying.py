"""How a price is paid: by an allowance, by a permit, or by an authorization that anyone sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milestone_escrow.cli.desk import Desk
from milestone_escrow.cli.words import Standing, amount, person
from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.paying import Way
    from milestone_escrow.chain.transactions import Prepared
    from milestone_escrow.protocol.paying import SignedPermit


@dataclass(frozen=True, slots=True)
class Chosen:
    """A way to pay, and the allowance that it still lacks."""

    name: Way
    lacks_allowance: bool = False

    def allow(self, desk: Desk, units: int) -> Prepared | None:
        """The transaction that must go before."""
        return desk.verbs.allow(desk.bound.token, units) if self.lacks_allowance else None


def choose_way(desk: Desk, units: int, asked: str | None) -> Chosen:
    """The way that was asked for, or else the best that token and payer can.

    Raises:
        UsageError: the token, or the payer's wallet, cannot pay that way.
    """
    escrow, token, payer = desk.escrow, desk.bound.token, desk.signer.address
    way: Way = escrow.way_to_pay(token.address, units, payer)
    if asked == "permit":
        escrow.token_domain(token.address, "permit")
        way = "permit"
    elif asked == "authorization":
        escrow.token_domain(token.address, "authorization")
        return Chosen("authorization")
    elif asked == "allowance":
        way = "allowance"
    return Chosen(way, way == "allowance" and escrow.allowance(token, payer) < units)


def permit_for(desk: Desk, units: int, chosen: Chosen) -> SignedPermit | None:
    """The payer's permit, signed under the token's own domain, where that is the way."""
    if chosen.name != "permit":
        return None
    return desk.escrow.sign_permit(desk.bound.token.address, units)


def paying_lines(
    desk: Desk, standing: Standing, units: int, chosen: Chosen, *, asked: bool
) -> list[str]:
    """Which way it is, and why.

    Raises:
        EscrowError: the payer has too little.
    """
    token, payer = desk.bound.token, desk.signer.address
    has = desk.escrow.balance(token, payer)
    if has < units:
        raise EscrowError(
            f"{person(desk.bound, payer)} has {amount(standing, has)}, and "
            f"{amount(standing, units)} is needed",
            hint="move tokens to that account first",
        )
    price = amount(standing, units)
    if chosen.name == "permit":
        why = "" if asked else f": {token.symbol} knows permits, so one transaction is enough"
        return [f"paid with a permit for exactly {price}{why}"]
    if chosen.lacks_allowance:
        if asked or _knows_permits(desk):
            return [f"before that, allows the contract to take exactly {price}"]
        return [
            f"before that, allows the contract to take exactly {price}: {token.symbol} knows no "
            "permits"
        ]
    return [f"paid from what {person(desk.bound, payer)} has allowed the contract to take"]


def _knows_permits(desk: Desk) -> bool:
    return desk.escrow.token_support(desk.bound.token.address).permit


def require_way(way: str | None, file: object) -> None:
    """Only an authorization can be signed to a file."""
    if file and way not in (None, "authorization"):
        raise UsageError(
            f"a payment by {way} is sent by the payer, not signed to a file",
            hint="use --with authorization, or leave --sign-only out",
        )
