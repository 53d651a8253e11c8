"""Batch files that Safe's Transaction Builder imports, with the checksum as it computes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hashing import keccak

_VERSION = "1.0"
_BUILDER = "1.18.0"


@dataclass(frozen=True, slots=True)
class SafeCall:
    """One transaction of a batch; `value` in wei."""

    to: Address
    data: bytes
    value: int = 0


def safe_batch(
    chain_id: int,
    safe: Address,
    calls: Sequence[SafeCall],
    created_at: int,
    *,
    name: str,
    description: str = "",
) -> dict[str, object]:
    """The file's content; `created_at` in Unix seconds. The Safe does all calls or none."""
    batch: dict[str, object] = {
        "version": _VERSION,
        "chainId": str(chain_id),
        "createdAt": created_at * 1000,
        "meta": {
            "name": name,
            "description": description,
            "txBuilderVersion": _BUILDER,
            "createdFromSafeAddress": safe,
            "createdFromOwnerAddress": "",
        },
        "transactions": [
            {
                "to": call.to,
                "value": str(call.value),
                "data": "0x" + call.data.hex(),
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for call in calls
        ],
    }
    meta = batch["meta"]
    assert isinstance(meta, dict)
    return {**batch, "meta": {**meta, "checksum": checksum(batch)}}


def checksum(batch: Mapping[str, object]) -> str:
    """Keccak-256 of the batch without its name and checksum, in the Transaction Builder's form.

    That form is its own, not canonical JSON: of each group first the sorted list of names, then
    the values in that order, each followed by a comma.
    """
    meta = batch["meta"]
    assert isinstance(meta, Mapping)
    bare = {name: value for name, value in meta.items() if name != "checksum"}
    text = _serialized({**batch, "meta": {**bare, "name": None}})
    return "0x" + keccak(text.encode()).hex()


def _serialized(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_serialized, value))}]"
    if isinstance(value, Mapping):
        names = sorted(value)
        values = "".join(f"{_serialized(value[name])}," for name in names)
        return f"{{{_compact(names)}{values}}}"
    return _compact(value)


def _compact(value: object) -> str:
    # As JavaScript writes it: no spaces, and letters of all scripts as they are.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
