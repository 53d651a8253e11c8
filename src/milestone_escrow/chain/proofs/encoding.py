"""RLP, in a typed envelope (EIP-2718) for all but the oldest kind of transaction and receipt."""

from __future__ import annotations

from typing import Any

# A deposit from the first layer, on rollups of the OP stack.
DEPOSIT = 0x7E
KNOWN_KINDS = frozenset({0, 1, 2, 3, 4, DEPOSIT})


def encoded(items: Any) -> bytes:
    """Bytes, or lists of them within lists."""
    from rlp import encode

    return bytes(encode(items))


def enveloped(kind: int, items: list[Any]) -> bytes:
    """Fields in the envelope of their kind; the oldest, 0, has none."""
    return (bytes([kind]) if kind else b"") + encoded(items)


def opened(envelope: bytes) -> tuple[int, list[Any]]:
    """The kind of what an envelope holds, and its fields."""
    from rlp import decode

    # Lists start at 0xC0, and kinds stay below.
    kind = 0 if envelope[0] >= 0xC0 else envelope[0]
    return kind, decode(envelope[1:] if kind else envelope)


def minimal(value: int) -> bytes:
    """A number without leading zeros, nothing for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
