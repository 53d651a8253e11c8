"""Blooms: what a header says of the logs in its block, never that one is there for certain."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import unhexed

BLOOM_BITS = 2048
KNOWN_TOPICS = 1 << 15


def bloom_of(values: Iterable[bytes]) -> int:
    """The bits that addresses or topics set in a bloom."""
    bits = 0
    for value in values:
        digest = keccak(value)
        for at in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % BLOOM_BITS)
    return bits


@lru_cache(KNOWN_TOPICS)
def topic_bits(text: str) -> int:
    """The bits that a topic sets in a bloom, from its hex."""
    return bloom_of([unhexed(text, 32)])


def may_hold(bloom: int, bits: int) -> bool:
    """Whether a bloom has all these bits: if not, what set them is not in the block."""
    return bloom & bits == bits


def chance(bloom: int) -> float:
    """How likely a value that is not in the block seems to be: the fuller, the likelier."""
    return (bloom.bit_count() / BLOOM_BITS) ** 3
