"""A division of money between the two sides, as what it does."""

from __future__ import annotations

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names


def split_does(names: Names, split: Split, payee: Address, buyer: Address) -> str:
    """ "pays 72,000.00 USDC to Rajwada Exports", with both sides where both receive."""
    parts = {
        "paid": names.amount(split.to_payee),
        "payee": names.person(payee),
        "back": names.amount(split.to_buyer),
        "buyer": names.person(buyer),
    }
    if split.to_payee and split.to_buyer:
        return say("pays {paid} to {payee} and gives {back} back to {buyer}", **parts)
    if split.to_payee:
        return say("pays {paid} to {payee}", **parts)
    return say("gives {back} back to {buyer}", **parts) if split.to_buyer else say("pays nothing")
