"""How a price is paid: by an allowance, by a permit, or by an authorization that anyone sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.files.wallet_links import approve_link, fund_page
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.eip712 import Address

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

    def allow(self, table: Table, units: int) -> Prepared | None:
        """The transaction that must go before."""
        return table.verbs.allow(table.bound.token, units) if self.lacks_allowance else None

    def line(self, table: Table, units: int) -> str:
        """How it is paid, as a sentence."""
        price, payer = table.amount(units), table.person(table.account)
        if self.way == "permit":
            return f"paid with a permit for exactly {price}{self.why}"
        if self.way == "authorization":
            return f"paid with an authorization of {payer} for exactly {price}, which anyone sends"
        if self.lacks_allowance:
            return f"before that, allows the contract to take exactly {price}{self.why}"
        return f"paid from what {payer} has allowed the contract to take"


def choose_way(table: Table, units: int, asked: str | None) -> Chosen:
    """The way that was asked for, or else the best that token and payer can.

    Raises:
        UsageError: the token knows no such way.
    """
    escrow, token, payer = table.escrow, table.bound.token, table.account
    if asked == "permit":
        escrow.token_domain(token.address, "permit")
        return Chosen("permit")
    if asked == "authorization":
        escrow.token_domain(token.address, "authorization")
        return Chosen("authorization")
    allowed = escrow.allowance(token, payer) >= units
    if asked == "allowance":
        return Chosen("allowance", lacks_allowance=not allowed)
    if isinstance(table.signer, Absent):
        # Its key is not here to sign a permit.
        return Chosen("allowance", lacks_allowance=not allowed)
    if escrow.way_to_pay(token.address, units, payer) == "permit":
        return Chosen("permit", f": {token.symbol} knows permits, so one transaction is enough")
    knows = escrow.token_support(token.address).permit
    why = "this wallet signs no permits" if knows else f"{token.symbol} knows no permits"
    return Chosen("allowance", f": {why}", lacks_allowance=not allowed)


def permit_for(table: Table, units: int, chosen: Chosen) -> SignedPermit | None:
    """The payer's permit, signed under the token's own domain, where that is the way."""
    if chosen.way != "permit":
        return None
    return table.escrow.sign_permit(table.bound.token.address, units)


def require_balance(table: Table, payer: Address, units: int) -> None:
    """Refuse a price that the payer does not have.

    Raises:
        EscrowError: with what is there.
    """
    has = table.escrow.balance(table.bound.token, payer)
    if has < units:
        amount = table.amount
        raise EscrowError(
            f"{table.person(payer)} has {amount(has)}, and {amount(units)} is needed",
            hint="pay less at once, or move tokens to that account first",
        )


@dataclass(frozen=True, slots=True)
class PhoneLink:
    """A link that a wallet on a phone scans; `says` is what it does."""

    kind: str
    uri: str
    says: str


def phone_links(table: Table, payer: Address, units: int, page: str | None) -> list[PhoneLink]:
    """What to scan to pay so much in, in this order; `page` is where the agreement's page is."""
    token, escrow = table.bound.token, table.escrow
    links: list[PhoneLink] = []
    if escrow.allowance(token, payer) < units:
        permits = page and escrow.token_support(token.address).permit
        says = f"Allow the contract to take exactly {table.amount(units)}"
        says += "; not needed where the wallet signs a permit on the page." if permits else "."
        uri = approve_link(token.address, table.network.chain_id, escrow.contract, units)
        links.append(PhoneLink("approve", uri, says))
    if page:
        says = "Pay in on the agreement's page, opened in the browser of the same wallet."
        links.append(PhoneLink("page", fund_page(page, table.bound.id), says))
    return links
