"""Money that was paid and could not be delivered: for whom it waits, and how it is collected."""

from __future__ import annotations

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names

FEE = "fee"
"""What the account that receives the fee is called where no role is its own."""


def waits(names: Names, account: Address, units: int) -> str:
    """ "5,638.35 USDC wait for Rajwada Exports"."""
    return say("{amount} wait for {who}", amount=names.amount(units), who=names.person(account))


def will_not_arrive(names: Names, account: Address, units: int, reason: str) -> str:
    """ "5,638.35 USDC will not arrive at Rajwada Exports: the token refuses …". `reason` is the
    token's own words."""
    parts = {"amount": names.amount(units), "who": names.person(account)}
    return say(
        "{amount} will not arrive at {who}: {refuses}; it will wait for `escrow withdraw`",
        **parts,
        refuses=refuses(reason),
    )


def refuses(reason: str) -> str:
    return (
        say("the token refuses (“{reason}”)", reason=reason) if reason else say("the token refuses")
    )


def did_not_arrive(names: Names, account: Address, units: int) -> str:
    """ "5,638.35 USDC did not arrive at Rajwada Exports"."""
    amount, who = names.amount(units), names.person(account)
    return say("{amount} did not arrive at {who}, the token refused it", amount=amount, who=who)


def withdraw_line(name: str, names: Names, account: Address) -> str:
    """The command that collects it; `name` is the agreement's."""
    return f"escrow withdraw {name} --for {_called(names, account)}"


def _called(names: Names, account: Address) -> str:
    if names.document is not None and (roles := names.document.roles(account)):
        return roles[0]
    is_fee = names.terms is not None and names.terms.fee_recipient == account
    return FEE if is_fee else account
