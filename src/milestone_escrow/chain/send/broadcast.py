"""The way of a signed transaction into a block: nonce, broadcast, receipt, confirmations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import hexed

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction; its hash is known before any node has seen it."""

    raw: bytes
    nonce: int
    sender: Address

    @property
    def hash(self) -> str:
        return hexed(keccak(self.raw))


def next_nonce(node: Node, sender: Address, wanted: int | None = None) -> int:
    """The nonce to send with: `wanted` where it can be used, else the account's next.

    Raises:
        UsageError: `wanted` was used already, or leaves a gap that nothing fills.
    """
    waiting = int(node.request("eth_getTransactionCount", [sender, "pending"]), 16)
    if wanted is None:
        return waiting
    mined = int(node.request("eth_getTransactionCount", [sender, "latest"]), 16)
    if wanted < mined:
        raise UsageError(
            f"{sender} has used nonce {wanted} already, its next is {mined}",
            hint="leave --nonce out",
        )
    if wanted > waiting:
        raise UsageError(
            f"nonce {wanted} leaves a gap: the next of {sender} is {waiting}, and a node keeps "
            "what comes later waiting",
            hint=f"use --nonce {waiting}, or leave it out",
        )
    return wanted


def broadcast(node: Node, signed: Signed, verb: str, network: Network) -> str:
    """Hand a transaction to the node; returns its hash. One that the node has is no error.

    Raises:
        ChainError: the node refuses it, or does not answer.
    """
    try:
        node.request("eth_sendRawTransaction", [hexed(signed.raw)])
    except RpcError as error:
        said = error.message.lower()
        if "already known" in said or "known transaction" in said or "already imported" in said:
            return signed.hash
        if is_known(node, signed.hash):
            return signed.hash
        raise _refused(error, verb, signed, network) from None
    except ChainError as error:
        raise ChainError(
            f"{error.message}, so the transaction {signed.hash} to {verb} may be on its way or not",
            hint="look at the status before you try again",
            transaction=signed.hash,
        ) from None
    return signed.hash


def is_known(node: Node, transaction: str) -> bool:
    """Whether the node has a transaction, mined or waiting."""
    try:
        return node.request("eth_getTransactionByHash", [transaction]) is not None
    except RpcError:
        return False


def await_receipt(
    node: Node, transactions: Sequence[str], verb: str, *, timeout: float, network: Network
) -> dict[str, Any]:
    """The receipt of whichever of these transactions (of one nonce) is mined first.

    A node that does not answer now and then is asked again.

    Raises:
        ChainError: none is in a block in time.
    """
    pause, until = FIRST_PAUSE, time.monotonic() + timeout
    while True:
        trouble: ChainError | None = None
        for transaction in transactions:
            try:
                receipt = node.request("eth_getTransactionReceipt", [transaction])
            except ChainError as error:
                trouble = error
                continue
            if isinstance(receipt, dict) and receipt.get("blockNumber"):
                return receipt
        if time.monotonic() > until:
            raise trouble or _unmined(transactions[0], verb, timeout, network)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def await_confirmations(
    node: Node, receipt: dict[str, Any], network: Network, *, timeout: float
) -> None:
    """Wait until a mined transaction is as deep as the network's table asks for.

    Raises:
        ChainError: it fell out of its block, or the chain does not grow.
    """
    pause, until = FIRST_PAUSE, time.monotonic() + timeout
    block = int(receipt["blockNumber"], 16)
    while not _is_deep(node, block, network):
        if time.monotonic() > until:
            raise ChainError(
                f"{network.title} has not confirmed block {block} within {timeout:g} seconds",
                hint="run the same again later: it goes on from here",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    again = node.request("eth_getTransactionReceipt", [receipt["transactionHash"]])
    if not isinstance(again, dict) or again.get("blockHash") != receipt.get("blockHash"):
        raise ChainError(
            f"the transaction {receipt['transactionHash']} fell out of block {block} again",
            hint="run the same again: it looks first what is there",
        )


def _is_deep(node: Node, block: int, network: Network) -> bool:
    if network.local:
        return True
    if network.confirmations:
        head = int(node.request("eth_blockNumber"), 16)
        return head - block + 1 >= network.confirmations
    final = node.request("eth_getBlockByNumber", ["finalized", False])
    return bool(final) and int(final["number"], 16) >= block


def _refused(error: RpcError, verb: str, signed: Signed, network: Network) -> ChainError:
    said = error.message.lower()
    if "underpriced" in said and "replac" in said:
        return ChainError(
            f"another transaction of {signed.sender} with nonce {signed.nonce} waits already",
            hint="wait for it, or replace it with `escrow tx speed-up HASH`",
        )
    if "nonce" in said and "low" in said:
        return ChainError(
            f"{signed.sender} has sent another transaction with nonce {signed.nonce} meanwhile",
            hint="look at the status, then try again",
        )
    if "nonce" in said and ("high" in said or "gap" in said):
        return ChainError(
            f"the node does not take nonce {signed.nonce} of {signed.sender}, because earlier "
            "ones are missing",
            hint="let what waits be mined first, or name the next one with --nonce",
        )
    if "insufficient funds" in said:
        return ChainError(
            f"{signed.sender} has too little {network.coin} for gas",
            hint="send it some, or use another account",
        )
    if "chain id" in said or "chainid" in said or "invalid sender" in said:
        return ChainError(
            f"the node says that it is on {network.title}, but refuses a transaction for it "
            f"({error.message})",
            hint="name another node with --rpc",
        )
    return ChainError(
        f"the node did not take the transaction to {verb}: {error.message}", hint="try again"
    )


def _unmined(transaction: str, verb: str, timeout: float, network: Network) -> ChainError:
    return ChainError(
        f"the transaction {transaction} to {verb} is in no block after {timeout:g} seconds",
        hint="it may still come through: look at the status before sending again, or replace it "
        f"with `escrow tx speed-up {transaction} --network {network.name}`",
        transaction=transaction,
    )
