"""Headers, transactions and receipts as the chain encodes them, from what JSON-RPC says of them.

The encodings are those that block hashes, transaction hashes and receipt roots commit to: RLP, in a
typed envelope (EIP-2718) but for the oldest kind. Where a rollup has kinds of its own, the node is
asked for the raw bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rlp

from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hashing import keccak

# A deposit from the first layer, on rollups of the OP stack.
DEPOSIT = 0x7E

_ROOT_OF_TRANSACTIONS, _ROOT_OF_RECEIPTS, _NUMBER, _TIME = 4, 5, 8, 11

_HEADER = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot",
    "logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash",
    "nonce",
)  # fmt: skip
# What forks have added, each after those before it.
_LATER = (
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot",
    "requestsHash",
)  # fmt: skip
_NUMBERS = {
    "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed",
    "excessBlobGas",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """What a block's header says that matters here; `time` is Unix seconds."""

    hash: bytes
    number: int
    time: int
    transactions_root: bytes
    receipts_root: bytes


@dataclass(frozen=True, slots=True)
class Log:
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a receipt says: whether the transaction came through, and its logs."""

    succeeded: bool
    logs: tuple[Log, ...]


def encode_header(block: Mapping[str, Any]) -> bytes:
    """A block's header.

    Raises:
        ChainError: it does not hash to what the node says.
    """
    fields = [*_HEADER, *(name for name in _LATER if block.get(name) is not None)]
    items = [_number(block[name]) if name in _NUMBERS else _data(block[name]) for name in fields]
    encoded = bytes(rlp.encode(items))
    if keccak(encoded) != _data(block["hash"]):
        raise ChainError(
            f"the header of block {int(block['number'], 16):,} does not give the block's hash",
            hint="this chain builds its blocks differently, or the node is wrong: name another",
        )
    return encoded


def read_header(encoded: bytes) -> Header:
    items = rlp.decode(encoded)
    return Header(
        hash=keccak(encoded),
        number=int.from_bytes(items[_NUMBER], "big"),
        time=int.from_bytes(items[_TIME], "big"),
        transactions_root=items[_ROOT_OF_TRANSACTIONS],
        receipts_root=items[_ROOT_OF_RECEIPTS],
    )


def encode_transaction(tx: Mapping[str, Any]) -> bytes | None:
    """A transaction as it was sent; None for a kind that is not known here."""
    kind = int(tx.get("type") or "0x0", 16)
    if kind not in (0, 1, 2, 3, 4, DEPOSIT):
        return None
    fields = _TRANSACTIONS[kind](tx)
    encoded = bytes(rlp.encode(fields))
    return encoded if kind == 0 else bytes([kind]) + encoded


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """A receipt as the block's root commits to it."""
    kind = int(receipt.get("type") or "0x0", 16)
    logs = [
        [_data(log["address"]), [_data(topic) for topic in log["topics"]], _data(log["data"])]
        for log in receipt["logs"]
    ]
    items: list[Any] = [
        _number(receipt["status"]),
        _number(receipt["cumulativeGasUsed"]),
        _data(receipt["logsBloom"]),
        logs,
    ]
    if kind == DEPOSIT:
        later = ("depositNonce", "depositReceiptVersion")
        items += [_number(receipt[name]) for name in later if receipt.get(name) is not None]
    encoded = bytes(rlp.encode(items))
    return encoded if kind == 0 else bytes([kind]) + encoded


def read_receipt(encoded: bytes) -> Outcome:
    body = encoded if encoded[0] >= 0xC0 else encoded[1:]
    status, _, _, logs, *_ = rlp.decode(body)
    return Outcome(status == b"\x01", tuple(Log(log[0], tuple(log[1]), log[2]) for log in logs))


def calldata_of(raw: bytes) -> tuple[bytes, bytes]:
    """Whom a transaction calls, and with what."""
    if raw[0] >= 0xC0:
        fields, at = rlp.decode(raw), 3
    else:
        fields, at = rlp.decode(raw[1:]), {1: 4, 2: 5, 3: 5, 4: 5, DEPOSIT: 2}[raw[0]]
    # Behind the recipient stands the value; a deposit says two values and a gas limit before it.
    data = fields[at + 2] if raw[0] != DEPOSIT else fields[7]
    return bytes(fields[at]), bytes(data)


def _legacy(tx: Mapping[str, Any]) -> list[Any]:
    numbers = [_number(tx[name]) for name in ("nonce", "gasPrice", "gas")]
    return [*numbers, *_call(tx), *(_number(tx[name]) for name in ("v", "r", "s"))]


def _access(tx: Mapping[str, Any]) -> list[Any]:
    numbers = [_number(tx[name]) for name in ("chainId", "nonce", "gasPrice", "gas")]
    return [*numbers, *_call(tx), _access_list(tx), *_signature(tx)]


def _dynamic(tx: Mapping[str, Any]) -> list[Any]:
    return [*_priced(tx), *_call(tx), _access_list(tx), *_signature(tx)]


def _blob(tx: Mapping[str, Any]) -> list[Any]:
    hashes = [_data(one) for one in tx["blobVersionedHashes"]]
    blobs = [_number(tx["maxFeePerBlobGas"]), hashes]
    return [*_priced(tx), *_call(tx), _access_list(tx), *blobs, *_signature(tx)]


def _delegating(tx: Mapping[str, Any]) -> list[Any]:
    names = ("chainId", "address", "nonce", "yParity", "r", "s")
    listed = [
        [_data(one[name]) if name == "address" else _number(one[name]) for name in names]
        for one in tx["authorizationList"]
    ]
    return [*_priced(tx), *_call(tx), _access_list(tx), listed, *_signature(tx)]


def _deposit(tx: Mapping[str, Any]) -> list[Any]:
    to, value, data = _call(tx)
    return [
        _data(tx["sourceHash"]), _data(tx["from"]), to, _number(tx.get("mint") or "0x0"), value,
        _number(tx["gas"]), b"\x01" if tx.get("isSystemTx") else b"", data,
    ]  # fmt: skip


_TRANSACTIONS = {
    0: _legacy, 1: _access, 2: _dynamic, 3: _blob, 4: _delegating, DEPOSIT: _deposit,
}  # fmt: skip


def _priced(tx: Mapping[str, Any]) -> list[bytes]:
    names = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
    return [_number(tx[name]) for name in names]


def _call(tx: Mapping[str, Any]) -> list[bytes]:
    return [_data(tx.get("to") or "0x"), _number(tx["value"]), _data(tx["input"])]


def _access_list(tx: Mapping[str, Any]) -> list[Any]:
    listed: Sequence[Mapping[str, Any]] = tx.get("accessList") or ()
    return [[_data(one["address"]), [_data(slot) for slot in one["storageKeys"]]] for one in listed]


def _signature(tx: Mapping[str, Any]) -> list[bytes]:
    parity = tx.get("yParity") or tx["v"]
    return [_number(parity), _number(tx["r"]), _number(tx["s"])]


def _data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _number(text: str) -> bytes:
    """Without leading zeros, nothing for 0."""
    value = int(text, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
