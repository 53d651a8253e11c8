"""Transactions as they were sent, which is what their hash and their block's root commit to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milestone_escrow.chain.proofs.encoding import DEPOSIT, KNOWN_KINDS, enveloped, minimal, opened
from milestone_escrow.protocol.hexes import quantity, unhexed

_PRICED = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_CALL = ("to", "value", "input")
_SIGNED = ("yParity", "r", "s")
_DYNAMIC = (*_PRICED, *_CALL, "accessList")

# What each kind is made of, in order.
_FIELDS: Mapping[int, tuple[str, ...]] = {
    0: ("nonce", "gasPrice", "gas", *_CALL, "v", "r", "s"),
    1: ("chainId", "nonce", "gasPrice", "gas", *_CALL, "accessList", *_SIGNED),
    2: (*_DYNAMIC, *_SIGNED),
    3: (*_DYNAMIC, "maxFeePerBlobGas", "blobVersionedHashes", *_SIGNED),
    4: (*_DYNAMIC, "authorizationList", *_SIGNED),
    DEPOSIT: ("sourceHash", "from", "to", "mint", "value", "gas", "isSystemTx", "input"),
}
_AUTHORIZATION = ("chainId", "address", "nonce", *_SIGNED)
_BYTES = frozenset({"to", "input", "sourceHash", "from", "address"})


def encode_transaction(tx: Mapping[str, Any]) -> bytes | None:
    """A transaction as it was sent; None for a kind that is not known here."""
    kind = quantity(tx.get("type") or "0x0")
    if kind not in KNOWN_KINDS:
        return None
    return enveloped(kind, [_item(tx, name) for name in _FIELDS[kind]])


def calldata_of(raw: bytes) -> tuple[bytes, bytes]:
    """Whom a transaction calls, and with what."""
    kind, items = opened(raw)
    fields = dict(zip(_FIELDS[kind], items, strict=True))
    return bytes(fields["to"]), bytes(fields["input"])


def _item(tx: Mapping[str, Any], name: str) -> Any:
    """A field as the encoding has it."""
    if name == "accessList":
        return [
            [unhexed(one["address"]), [unhexed(slot) for slot in one["storageKeys"]]]
            for one in tx.get(name) or ()
        ]
    if name == "blobVersionedHashes":
        return [unhexed(one) for one in tx[name]]
    if name == "authorizationList":
        return [[_item(one, part) for part in _AUTHORIZATION] for one in tx[name]]
    if name == "isSystemTx":
        return b"\x01" if tx.get(name) else b""
    if name in _BYTES:
        return unhexed(tx.get(name) or "0x")
    if name == "yParity":
        return minimal(quantity(tx.get(name) or tx["v"]))
    return minimal(quantity(tx.get(name) or "0x0" if name == "mint" else tx[name]))
