"""What a Safe says of itself: its owners, and how many of them must sign."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.chain.contract.tokens import answer_of
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address


class NoSafeError(ChainError):
    """An account does not answer as a Safe does."""


@dataclass(frozen=True, slots=True)
class Safe:
    """A Safe as it is now; owners may change."""

    address: Address
    owners: tuple[Address, ...]
    threshold: int


def read_safe(node: Node, account: Address) -> Safe:
    """The Safe at an account.

    Raises:
        NoSafeError: there is none.
    """
    from eth_utils.address import to_checksum_address

    owners = answer_of(node, account, "getOwners()", ("address[]",))
    threshold = answer_of(node, account, "getThreshold()", ("uint256",))
    if not owners or not owners[0] or not threshold:
        raise NoSafeError(
            f"{account} does not answer as a Safe does",
            hint="check the account and the network; other contract wallets use `escrow sign`",
        )
    return Safe(account, tuple(str(to_checksum_address(o)) for o in owners[0]), int(threshold[0]))
