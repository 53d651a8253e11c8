"""Bytes and numbers in hex, as JSON-RPC and people write them: read strictly, written one way."""

from __future__ import annotations

import re
from functools import lru_cache

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")


def hexed(value: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + value.hex()


def unhexed(text: object, size: int | None = None) -> bytes:
    """Bytes as JSON-RPC writes them, else ValueError; `size` is how many there must be."""
    if not isinstance(text, str) or text[:2] != "0x":
        raise ValueError(f"{str(text)[:20]!r} does not start with 0x")
    value = bytes.fromhex(text[2:])
    # `fromhex` passes over spaces, and no node writes any.
    if 2 * len(value) + 2 != len(text) or (size is not None and len(value) != size):
        raise ValueError(f"{len(value)} bytes of hex where {size} should be")
    return value


@lru_cache(4_096)
def quantity(text: object) -> int:
    """A number as JSON-RPC writes it, else ValueError. Those of blocks come with every log."""
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text):
        raise ValueError(f"{text!r} is not a number of JSON-RPC")
    return int(text, 16)
