"""Receipts, whose Merkle root stands in their block's header, and the logs that they prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.proofs.encoding import (
    DEPOSIT,
    KNOWN_KINDS,
    enveloped,
    minimal,
    opened,
)
from milestone_escrow.chain.proofs.headers import Header
from milestone_escrow.chain.proofs.tries import Trie
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hexes import hexed, quantity, unhexed


@dataclass(frozen=True, slots=True)
class Log:
    """One event as a contract wrote it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a receipt says: whether the transaction came through, and its logs."""

    succeeded: bool
    logs: tuple[Log, ...]


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """A receipt of JSON-RPC as the block's root commits to it.

    Raises:
        ChainError: it is none.
    """
    try:
        kind = quantity(receipt.get("type") or "0x0")
        # Before Byzantium receipts had the root of the state where there is a status now.
        by_root = receipt.get("root") and receipt.get("status") is None
        fields: list[Any] = [
            unhexed(receipt["root"], 32) if by_root else minimal(quantity(receipt["status"])),
            minimal(quantity(receipt["cumulativeGasUsed"])),
            unhexed(receipt["logsBloom"], 256),
            [
                [
                    unhexed(log["address"], 20),
                    [unhexed(topic, 32) for topic in log["topics"]],
                    unhexed(log["data"]),
                ]
                for log in receipt["logs"]
            ],
        ]
        # Nodes tell the nonce of older deposits, too, but their roots do not commit to it.
        if kind == DEPOSIT and receipt.get("depositReceiptVersion"):
            later = ("depositNonce", "depositReceiptVersion")
            fields += [minimal(quantity(receipt[name])) for name in later]
        return enveloped(kind, fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_receipt(error) from None


def decode_receipt(receipt: bytes) -> Outcome:
    """What an encoded receipt says."""
    _, (status, _, _, logs, *_) = opened(receipt)
    return Outcome(status == b"\x01", tuple(Log(log[0], tuple(log[1]), log[2]) for log in logs))


def proven_logs(header: Header, receipts: object) -> list[dict[str, Any]] | None:
    """All logs of the block, in order, with their place in it; None where that proves nothing,
    because the chain has receipts of a kind that is not known here.

    Raises:
        ChainError: these are not the block's receipts.
    """
    if not isinstance(receipts, Sequence):
        raise ChainError(f"the node does not give the receipts of block {header.number}")
    try:
        # The root says nothing of the transactions' hashes: those of a block that did the same
        # would fit as well.
        if any(unhexed(receipt["blockHash"], 32) != header.hash for receipt in receipts):
            raise ValueError(f"it is not of block {header.number}")
        root = Trie([encode_receipt(receipt) for receipt in receipts]).root
        kinds = {quantity(receipt.get("type") or "0x0") for receipt in receipts}
        logs = _placed(header, receipts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_receipt(error) from None
    if root == header.receipts_root:
        return logs
    if kinds <= KNOWN_KINDS:
        raise ChainError(
            f"the node gives other receipts than those of block {header.number}",
            hint="ask again, or name another",
        )
    return None


def _no_receipt(error: Exception) -> ChainError:
    return ChainError(f"the node gives a receipt that is none here ({error})")


def _placed(header: Header, receipts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The logs with the numbers that follow from their order, whatever the node says."""
    logs = [
        (receipt["transactionHash"], at, log)
        for at, receipt in enumerate(receipts)
        for log in receipt["logs"]
    ]
    return [
        {
            "address": log["address"],
            "topics": log["topics"],
            "data": log["data"],
            "blockHash": hexed(header.hash),
            "blockNumber": hex(header.number),
            "transactionHash": transaction,
            "transactionIndex": hex(at),
            "logIndex": hex(index),
        }
        for index, (transaction, at, log) in enumerate(logs)
    ]
