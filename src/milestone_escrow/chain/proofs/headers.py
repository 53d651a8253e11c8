"""Block headers as JSON-RPC gives them: read strictly, and hashed again where that is possible.

A header's hash commits to its parent, to its receipts and to the bloom of its logs, so a header
whose hash fits can be trusted as far as the chain of hashes that it stands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from milestone_escrow.chain.contract.event_words import from_hex, quantity
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hashing import keccak

BLOOM_BITS = 2048
KNOWN_TOPICS = 1 << 15

# In the order in which they are hashed; 0 is a number, None bytes of any length.
_ALWAYS: dict[str, int | None] = {
    "parentHash": 32,
    "sha3Uncles": 32,
    "miner": 20,
    "stateRoot": 32,
    "transactionsRoot": 32,
    "receiptsRoot": 32,
    "logsBloom": BLOOM_BITS // 8,
    "difficulty": 0,
    "number": 0,
    "gasLimit": 0,
    "gasUsed": 0,
    "timestamp": 0,
    "extraData": None,
    "mixHash": 32,
    "nonce": 8,
}
# Each came with an upgrade, and stays away where that is not in force yet.
_LATER: dict[str, int | None] = {
    "baseFeePerGas": 0,
    "withdrawalsRoot": 32,
    "blobGasUsed": 0,
    "excessBlobGas": 0,
    "parentBeaconBlockRoot": 32,
    "requestsHash": 32,
}
_BESIDE = {"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals", "author"}


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header. `checked` says whether its hash was computed again from its fields: a
    header with fields that are not known here is taken at its word."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    bloom: int
    receipts_root: bytes
    checked: bool


def read_header(block: object) -> Header:
    """The header within a block of `eth_getBlockByNumber`.

    Raises:
        ChainError: it is none, or its hash is not that of its fields.
    """
    if not isinstance(block, Mapping):
        raise ChainError("the node does not give a block that it should have")
    try:
        claimed = from_hex(block["hash"], 32)
        fields = _fields(block)
        header = Header(
            number=quantity(block["number"]),
            hash=claimed,
            parent=fields[0],
            time=quantity(block["timestamp"]),
            bloom=int.from_bytes(fields[6], "big"),
            receipts_root=fields[5],
            checked=_hash(fields) == claimed,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ChainError(f"the node gives a block that is none ({error})") from None
    if not header.checked and not set(block) - _ALWAYS.keys() - _LATER.keys() - _BESIDE:
        raise ChainError(
            f"the node gives block {header.number} a hash that is not its own",
            hint="do not trust it: name another",
        )
    return header


def bloom_of(values: Iterable[bytes]) -> int:
    """The bits that addresses or topics set in a bloom."""
    bits = 0
    for value in values:
        bits |= _bits(value)
    return bits


@lru_cache(KNOWN_TOPICS)
def topic_bits(text: str) -> int:
    """The bits that a topic sets in a bloom, from its hex."""
    return _bits(from_hex(text, 32))


def may_hold(bloom: int, bits: int) -> bool:
    """Whether a bloom has all these bits: if not, what set them is not in the block."""
    return bloom & bits == bits


def chance(bloom: int) -> float:
    """How likely a value that is not in the block seems to be: the fuller, the likelier."""
    return (bloom.bit_count() / BLOOM_BITS) ** 3


def _bits(value: bytes) -> int:
    digest = keccak(value)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % BLOOM_BITS)
    return bits


def _fields(block: Mapping[str, Any]) -> list[bytes]:
    later = {name: size for name, size in _LATER.items() if block.get(name) is not None}
    return [_field(block[name], size) for name, size in (_ALWAYS | later).items()]


def _field(value: object, size: int | None) -> bytes:
    if size != 0:
        return from_hex(value, size)
    number = quantity(value)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _hash(fields: list[bytes]) -> bytes:
    from rlp import encode

    return bytes(keccak(encode(fields)))
