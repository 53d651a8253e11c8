"""How a price is paid: by an allowance, by a permit, or by an authorization that anyone sends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milestone_escrow.chain.node.probes import has_code
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.files.wallet_links import approve_link, fund_page
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.eip712 import Address

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.token_support import Way
    from milestone_escrow.chain.send.transactions import Prepared
    from milestone_escrow.protocol.paying import SignedPermit
    from milestone_escrow.protocol.token import Token


@dataclass(frozen=True, slots=True)
class Chosen:
    """A way to pay; `why` it was chosen where nobody said, empty otherwise.

    `first` are the transactions that must go before, `permit` is there where it was tried already.
    """

    way: Way
    why: str = ""
    first: tuple[Prepared, ...] = ()
    permit: SignedPermit | None = None

    def line(self, table: Table, units: int) -> str:
        """How it is paid, as a sentence."""
        price, payer = table.amount(units), table.person(table.account)
        if self.way == "permit":
            return f"paid with a permit for exactly {price}{self.why}"
        if self.way == "authorization":
            return f"paid with an authorization of {payer} for exactly {price}, which anyone sends"
        if len(self.first) > 1:
            return (
                "before that, sets what the contract may take to 0, without which "
                f"{table.bound.token.symbol} changes nothing, and then to exactly {price}{self.why}"
            )
        if self.first:
            return f"before that, allows the contract to take exactly {price}{self.why}"
        return f"paid from what {payer} has allowed the contract to take"


def choose_way(table: Table, units: int, asked: str | None) -> Chosen:
    """The way that was asked for, or else the best that token and payer can.

    Raises:
        UsageError: the token knows no such way.
        EscrowError: a permit was asked for, and the token takes none of this account.
        ContractError: the token refuses the allowance.
    """
    escrow, token, payer = table.escrow, table.bound.token, table.account
    if asked == "authorization":
        escrow.token_domain(token.address, "authorization")
        return Chosen("authorization")
    if asked == "permit":
        escrow.token_domain(token.address, "permit")
        if chosen := _by_permit(table, units):
            return chosen
        raise EscrowError(no_permit(token), hint="leave `--with permit` out to pay by an allowance")
    if asked or isinstance(table.signer, Absent):
        # The key of an absent account is not here to sign a permit.
        return _by_allowance(table, units)
    if escrow.way_to_pay(token.address, units, payer) == "permit":
        chosen = _by_permit(table, units)
        why = f": {token.symbol} knows permits, so one transaction is enough"
        return replace(chosen, why=why) if chosen else _by_allowance(table, units, no_permit(token))
    knows = escrow.token_support(token.address).permit
    why = "this wallet signs no permits" if knows else f"{token.symbol} knows no permits"
    return _by_allowance(table, units, why)


def no_permit(token: Token) -> str:
    """Why an account that signs by key pays by an allowance all the same."""
    return f"{token.symbol} takes no permit of this account, in which code runs (EIP-7702)"


def _by_permit(table: Table, units: int) -> Chosen | None:
    """By a permit, unless code runs in the account and the token refuses what its key signs."""
    if not has_code(table.escrow.node, table.account):
        return Chosen("permit")
    permit = table.escrow.usable_permit(table.bound.token.address, units)
    return Chosen("permit", permit=permit) if permit else None


def _by_allowance(table: Table, units: int, why: str = "") -> Chosen:
    token = table.bound.token
    if table.escrow.allowance(token, table.account) >= units:
        return Chosen("allowance")
    return Chosen("allowance", f": {why}" if why else "", table.verbs.allowing(token, units))


def permit_for(table: Table, units: int, chosen: Chosen) -> SignedPermit | None:
    """The payer's permit, signed under the token's own domain, where that is the way."""
    if chosen.way != "permit":
        return None
    return chosen.permit or table.escrow.sign_permit(table.bound.token.address, units)


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
        if len(escrow.prepare_for(payer).allowing(token, units)) > 1:
            uri = approve_link(token.address, table.network.chain_id, escrow.contract, 0)
            says = f"Take back what was allowed before, without which {token.symbol} allows nothing"
            links.append(PhoneLink("reset", uri, f"{says} new."))
        permits = page and escrow.token_support(token.address).permit
        says = f"Allow the contract to take exactly {table.amount(units)}"
        says += "; not needed where the wallet signs a permit on the page." if permits else "."
        uri = approve_link(token.address, table.network.chain_id, escrow.contract, units)
        links.append(PhoneLink("approve", uri, says))
    if page:
        says = "Pay in on the agreement's page, opened in the browser of the same wallet."
        links.append(PhoneLink("page", fund_page(page, table.bound.id), says))
    return links
