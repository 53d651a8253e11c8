"""How a price is paid: by an allowance, by a permit, or by an authorization that anyone sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.deals.absent import Absent
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.standing import person

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.token_support import Way
    from milestone_escrow.chain.send.transactions import Prepared
    from milestone_escrow.protocol.paying import SignedPermit


@dataclass(frozen=True, slots=True)
class Chosen:
    """A way to pay; `why` it was chosen where nobody said, empty otherwise."""

    way: Way
    why: str = ""
    lacks_allowance: bool = False

    def allow(self, desk: Desk, units: int) -> Prepared | None:
        """The transaction that must go before."""
        return desk.verbs.allow(desk.bound.token, units) if self.lacks_allowance else None

    def line(self, desk: Desk, units: int) -> str:
        """How it is paid, as a sentence."""
        price, payer = desk.bound.agreement.amount(units), person(desk.bound, desk.signer.address)
        if self.way == "permit":
            return f"paid with a permit for exactly {price}{self.why}"
        if self.way == "authorization":
            return f"paid with an authorization of {payer} for exactly {price}, which anyone sends"
        if self.lacks_allowance:
            return f"before that, allows the contract to take exactly {price}{self.why}"
        return f"paid from what {payer} has allowed the contract to take"


def choose_way(desk: Desk, units: int, asked: str | None) -> Chosen:
    """The way that was asked for, or else the best that token and payer can.

    Raises:
        UsageError: the token knows no such way.
    """
    escrow, token, payer = desk.escrow, desk.bound.token, desk.signer.address
    if asked == "permit":
        escrow.token_domain(token.address, "permit")
        return Chosen("permit")
    if asked == "authorization":
        escrow.token_domain(token.address, "authorization")
        return Chosen("authorization")
    allowed = escrow.allowance(token, payer) >= units
    if asked == "allowance":
        return Chosen("allowance", lacks_allowance=not allowed)
    if isinstance(desk.signer, Absent):
        # Its key is not here to sign a permit.
        return Chosen("allowance", lacks_allowance=not allowed)
    if escrow.way_to_pay(token.address, units, payer) == "permit":
        return Chosen("permit", f": {token.symbol} knows permits, so one transaction is enough")
    knows = escrow.token_support(token.address).permit
    why = "this wallet signs no permits" if knows else f"{token.symbol} knows no permits"
    return Chosen("allowance", f": {why}", lacks_allowance=not allowed)


def permit_for(desk: Desk, units: int, chosen: Chosen) -> SignedPermit | None:
    """The payer's permit, signed under the token's own domain, where that is the way."""
    if chosen.way != "permit":
        return None
    return desk.escrow.sign_permit(desk.bound.token.address, units)


def require_balance(desk: Desk, payer: Address, units: int) -> None:
    """Refuse a price that the payer does not have.

    Raises:
        EscrowError: with what is there.
    """
    has = desk.escrow.balance(desk.bound.token, payer)
    if has < units:
        amount = desk.bound.agreement.amount
        raise EscrowError(
            f"{person(desk.bound, payer)} has {amount(has)}, and {amount(units)} is needed",
            hint="pay less at once, or move tokens to that account first",
        )
