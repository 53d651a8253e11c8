"""Questions to a node whose answers it cannot simply look up in its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.contract.tokens import read_token
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.token import Token

# Creation code that returns one word: its own chain id, or 1 if the instruction exists.
_CHAIN_ID = "4660005260206000f3"
FEATURES = {
    "PUSH0": "60015f5260205ff3",
    "transient storage": "600160005d60005c60005260206000f3",
    "MCOPY": "60016000526020600060205e60206020f3",
}

# From this age on the head of a public network is too old to act upon.
OLD = 300
FUTURE = 60

_TOKEN = ("313ce567", "70a08231" + "00" * 32)  # decimals(), balanceOf(address)
# More would have no name, and a number of them no meaning.
MOST_DECIMALS = 36


@dataclass(frozen=True, slots=True)
class Head:
    """The latest block: its number, and its time in Unix seconds."""

    number: int
    time: int


def said_chain_id(node: Node) -> int:
    """The chain that the node says it is on.

    Raises:
        ChainError: it does not say.
    """
    try:
        return int(node.request("eth_chainId"), 16)
    except (TypeError, ValueError):
        raise ChainError("the node does not say which chain it is on") from None


def executed_chain_id(node: Node) -> int:
    """The chain that contracts run on, from the machine itself.

    Raises:
        ChainError: the node does not execute calls.
    """
    try:
        return int(_create(node, _CHAIN_ID), 16)
    except (RpcError, TypeError, ValueError):
        raise ChainError(
            "the node does not execute calls that create contracts",
            hint="name another node with --rpc",
        ) from None


def require_honest(node: Node, network: Network) -> None:
    """Refuse a node that says one chain and works on another.

    Raises:
        ChainError: with both.
    """
    found = {executed_chain_id(node), *_signed_chain_ids(node)} - {network.chain_id}
    if found:
        raise ChainError(
            f"the node says that it is on chain {network.chain_id}, but it works on chain "
            f"{min(found)}",
            hint="do not trust it: name another one with --rpc",
        )


def head(node: Node) -> Head:
    """The latest block.

    Raises:
        ChainError: the node has none.
    """
    block = node.request("eth_getBlockByNumber", ["latest", False])
    try:
        return Head(int(block["number"], 16), int(block["timestamp"], 16))
    except (TypeError, KeyError, ValueError):
        raise ChainError("the node has no latest block", hint="wait until it has synced") from None


def require_recent(found: Head, network: Network, now: int) -> None:
    """Refuse a head that is too old, or of the future; `local` chains have their own time.

    Raises:
        ChainError: it is.
    """
    if network.local:
        return
    if now - found.time > OLD:
        raise ChainError(
            f"the node is behind: its latest block, {found.number}, is {_span(now - found.time)} "
            "old",
            hint="wait until it has caught up, or name another with --rpc",
        )
    if found.time - now > FUTURE:
        raise ChainError(
            f"the latest block is {_span(found.time - now)} ahead of this machine's clock",
            hint="set the clock, or name another node with --rpc",
        )


def missing_features(node: Node) -> tuple[str, ...]:
    """The instructions that the contract needs and this chain's machine lacks."""
    return tuple(name for name, code in FEATURES.items() if not _works(node, code))


def require_features(node: Node, network: Network) -> None:
    """Refuse a network on which the contract cannot run.

    Raises:
        ChainError: with what is missing.
    """
    missing = missing_features(node)
    if missing:
        raise ChainError(
            f"{network.title} cannot run the contract: its machine lacks {', '.join(missing)}",
            hint="use a network that has had the Cancun upgrade",
        )


def has_code(node: Node, address: Address) -> bool:
    return bool(node.request("eth_getCode", [address, "latest"])[2:])


def inspect_token(node: Node, address: Address) -> Token:
    """What a token says of itself.

    Raises:
        ChainError: there is no code, it is no ERC-20, or none that can be counted in.
    """
    if not has_code(node, address):
        raise ChainError(
            f"there is no code at {address}", hint="check the token's address and the network"
        )
    # First what does not take a node that is silent, or limits itself, for a token that is none.
    if not _answers(node, address, _TOKEN):
        raise ChainError(
            f"what is at {address} is not an ERC-20 token: it has no decimals, or no balances",
            hint="check the token's address and the network",
        )
    token = read_token(node, address)
    if token.decimals > MOST_DECIMALS:
        raise ChainError(
            f"the token at {address}, {token.symbol}, says that it has {token.decimals} decimals; "
            f"amounts are counted in up to {MOST_DECIMALS}",
            hint="agree on another token",
        )
    return token


def _answers(node: Node, address: Address, calls: Sequence[str]) -> bool:
    """Whether a contract answers each of these calls with one word."""
    try:
        answers = [
            node.request("eth_call", [{"to": address, "data": "0x" + call}, "latest"])
            for call in calls
        ]
    except RpcError:
        return False
    return all(len(str(answer)) == 66 for answer in answers)


def _works(node: Node, code: str) -> bool:
    try:
        return int(_create(node, code), 16) == 1
    except RpcError:
        return False
    except (TypeError, ValueError):
        return False


def _create(node: Node, code: str) -> Any:
    return node.request("eth_call", [{"from": ZERO_ADDRESS, "data": "0x" + code}, "latest"])


def _signed_chain_ids(node: Node) -> set[int]:
    """The chains that the latest block's transactions were signed for."""
    block = node.request("eth_getBlockByNumber", ["latest", True]) or {}
    transactions = [tx for tx in block.get("transactions", ()) if isinstance(tx, dict)]
    return {int(tx["chainId"], 16) for tx in transactions if tx.get("chainId")}


def _span(seconds: int) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
