"""A block's logs, proven by its receipts: their Merkle root stands in the block's header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from milestone_escrow.chain.contract.event_words import from_hex, quantity
from milestone_escrow.chain.proofs.headers import Header
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hashing import keccak

Log: TypeAlias = dict[str, Any]
Node: TypeAlias = "list[Any]"

DEPOSIT = 0x7E  # of rollups of the OP stack
_KNOWN_TYPES = frozenset({0, 1, 2, 3, 4, DEPOSIT})


def proven_logs(header: Header, receipts: object) -> list[Log] | None:
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
        if any(from_hex(receipt["blockHash"], 32) != header.hash for receipt in receipts):
            raise ValueError(f"it is not of block {header.number}")
        root = ordered_root([_encoded(receipt) for receipt in receipts])
        kinds = {quantity(receipt.get("type") or "0x0") for receipt in receipts}
        logs = _placed(header, receipts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ChainError(f"the node gives a receipt that is none here ({error})") from None
    if root == header.receipts_root:
        return logs
    if kinds <= _KNOWN_TYPES:
        raise ChainError(
            f"the node gives other receipts than those of block {header.number}",
            hint="ask again, or name another",
        )
    return None


def ordered_root(values: Sequence[bytes]) -> bytes:
    """The root of the Merkle Patricia trie of a list, as headers have it of their receipts."""
    from rlp import encode

    pairs = [(_nibbles(encode(_number(index))), value) for index, value in enumerate(values)]
    return bytes(keccak(encode(_node(sorted(pairs), 0) if pairs else b"")))


def _node(pairs: Sequence[tuple[bytes, bytes]], depth: int) -> Node:
    """The node below which all these keys lie; they agree up to `depth`."""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return [_path(first[depth:], 2), pairs[0][1]]
    shared = depth
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_path(first[depth:shared], 0), _reference(_node(pairs, shared))]
    # No key of a list is the beginning of another, so branches hold no value of their own.
    groups = [[pair for pair in pairs if pair[0][depth] == nibble] for nibble in range(16)]
    return [*(_reference(_node(group, depth + 1)) if group else b"" for group in groups), b""]


def _reference(node: Node) -> bytes | Node:
    from rlp import encode

    encoded = encode(node)
    return node if len(encoded) < 32 else bytes(keccak(encoded))


def _path(nibbles: bytes, flag: int) -> bytes:
    """A path in its compact form; `flag` is 2 for a leaf."""
    odd = len(nibbles) % 2
    head = bytes([flag + odd]) if odd else bytes([flag, 0])
    full = head + nibbles
    return bytes(16 * full[at] + full[at + 1] for at in range(0, len(full), 2))


def _nibbles(key: bytes) -> bytes:
    return bytes(nibble for byte in key for nibble in divmod(byte, 16))


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _encoded(receipt: Mapping[str, Any]) -> bytes:
    from rlp import encode

    kind = quantity(receipt.get("type") or "0x0")
    outcome = (
        from_hex(receipt["root"], 32)
        if receipt.get("root") and receipt.get("status") is None
        else _number(quantity(receipt["status"]))
    )
    fields: list[Any] = [
        outcome,
        _number(quantity(receipt["cumulativeGasUsed"])),
        from_hex(receipt["logsBloom"], 256),
        [
            [
                from_hex(log["address"], 20),
                [from_hex(topic, 32) for topic in log["topics"]],
                from_hex(log["data"]),
            ]
            for log in receipt["logs"]
        ],
    ]
    if kind == DEPOSIT and receipt.get("depositReceiptVersion"):
        fields += [
            _number(quantity(receipt[name])) for name in ("depositNonce", "depositReceiptVersion")
        ]
    return (bytes([kind]) if kind else b"") + bytes(encode(fields))


def _placed(header: Header, receipts: Sequence[Mapping[str, Any]]) -> list[Log]:
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
            "blockHash": "0x" + header.hash.hex(),
            "blockNumber": hex(header.number),
            "transactionHash": transaction,
            "transactionIndex": hex(at),
            "logIndex": hex(index),
        }
        for index, (transaction, at, log) in enumerate(logs)
    ]
