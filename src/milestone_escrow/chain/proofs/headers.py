"""Block headers, from JSON-RPC or from the encoding that their hash commits to.

A header's hash commits to its parent, to the roots of its transactions and receipts, and to the
bloom of its logs, so a header whose hash fits can be trusted as far as the chain of hashes that it
stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from milestone_escrow.chain.proofs.blooms import BLOOM_BITS
from milestone_escrow.chain.proofs.encoding import encoded, minimal
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import quantity, unhexed

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
    """A block's header; `time` is Unix seconds. `checked` says whether its hash is that of its
    fields: one with fields that are not known here is taken at its word."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    bloom: int
    transactions_root: bytes
    receipts_root: bytes
    checked: bool


def read_header(block: object) -> Header:
    """The header within a block of `eth_getBlockByNumber`.

    Raises:
        ChainError: it is none, or its hash is not that of its fields.
    """
    items, claimed = _parts(block)
    header = _header(items, claimed, checked=keccak(encoded(items)) == claimed)
    known = _ALWAYS.keys() | _LATER.keys() | _BESIDE
    if not header.checked and isinstance(block, Mapping) and not set(block) - known:
        raise ChainError(
            f"the node gives block {header.number} a hash that is not its own",
            hint="do not trust it: name another",
        )
    return header


def encode_header(block: object) -> bytes:
    """The header within a block of JSON-RPC, encoded as its hash commits to it.

    Raises:
        ChainError: it is none, or it does not hash to what the node says.
    """
    items, claimed = _parts(block)
    header = encoded(items)
    if keccak(header) != claimed:
        raise ChainError(
            f"the header of block {decode_header(header).number:,} does not give the block's hash",
            hint="this chain builds its blocks differently, or the node is wrong: name another",
        )
    return header


def decode_header(header: bytes) -> Header:
    """What an encoded header says."""
    from rlp import decode

    return _header(decode(header), keccak(header), checked=True)


def _parts(block: object) -> tuple[list[bytes], bytes]:
    """A header's fields in their order, and the hash that the node says it has."""
    if not isinstance(block, Mapping):
        raise ChainError("the node does not give a block that it should have")
    try:
        later = {name: size for name, size in _LATER.items() if block.get(name) is not None}
        items = [_field(block[name], size) for name, size in (_ALWAYS | later).items()]
        return items, unhexed(block["hash"], 32)
    except (KeyError, TypeError, ValueError) as error:
        raise ChainError(f"the node gives a block that is none ({error})") from None


def _field(value: object, size: int | None) -> bytes:
    return unhexed(value, size) if size != 0 else minimal(quantity(value))


def _header(items: Sequence[bytes], digest: bytes, *, checked: bool) -> Header:
    return Header(
        number=int.from_bytes(items[8], "big"),
        hash=digest,
        parent=items[0],
        time=int.from_bytes(items[11], "big"),
        bloom=int.from_bytes(items[6], "big"),
        transactions_root=items[4],
        receipts_root=items[5],
        checked=checked,
    )
