"""The 32-byte words of events, read strictly and without a general ABI decoder.

What a compiler writes has one form only: values fill their words with zeros, offsets point right
behind what comes before them, nothing follows the end. Whatever differs was not written by the
contract, and is refused with a ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from milestone_escrow.chain.contract.structs import indices
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import (
    MAX_MILESTONES,
    MAX_VERIFIERS,
    MILESTONE,
    TERMS,
    Milestone,
    Terms,
)

WORD = 32
_TOPIC = 2 + 2 * WORD
TERMS_WORDS = len(TERMS.fields)
MILESTONE_WORDS = len(MILESTONE.fields)
# More accounts than one process meets in a day; each costs a hash to write with its checksum.
KNOWN_ACCOUNTS = 1 << 16

Reader: TypeAlias = Callable[[bytes], Any]


def words(topics: Sequence[str], data: str) -> tuple[bytes, ...]:
    """Whole words out of topics, which are one each, and data."""
    if any(map(_TOPIC.__ne__, map(len, topics))) or data[:2] != "0x":
        raise ValueError("a topic is not a word, or the data are no hex")
    text = "".join([topic[2:] for topic in topics]) + data[2:]
    raw = bytes.fromhex(text)
    # `fromhex` passes over spaces, and no node writes any.
    if 2 * len(raw) != len(text) or len(raw) % WORD:
        raise ValueError("the data are not whole words")
    return _cut(len(raw) // WORD)(raw)


@lru_cache(4_096)
def _cut(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    return struct.Struct(f"{WORD}s" * count).unpack


def reader(kind: str) -> Reader:
    """What reads a word of an ABI type."""
    if kind in _READERS:
        return _READERS[kind]
    if kind.startswith("uint"):
        return _unsigned(int(kind[4:]))
    raise ValueError(f"no event has words of {kind}")


def _unsigned(bits: int) -> Reader:
    most = 2**bits - 1

    def read(word: bytes) -> int:
        value = int.from_bytes(word, "big")
        if value > most:
            raise ValueError(f"a number beyond {bits} bits")
        return value

    return read


@lru_cache(KNOWN_ACCOUNTS)
def account(word: bytes) -> Address:
    """A checksummed account."""
    from eth_utils.address import to_checksum_address

    if word[:12] != bytes(12):
        raise ValueError("an account of more than 20 bytes")
    return str(to_checksum_address(word[12:]))


def _integer(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _bytes32(word: bytes) -> bytes:
    return word


def _bytes4(word: bytes) -> bytes:
    if word[4:] != bytes(28):
        raise ValueError("a selector with something behind it")
    return word[:4]


def _boolean(word: bytes) -> bool:
    return bool(_one_of((0, 1), word))


@lru_cache
def _bits(word: bytes) -> tuple[int, ...]:
    """The places of a bitmap's bits."""
    return indices(int.from_bytes(word, "big"))


def _one_of(allowed: Sequence[int], word: bytes) -> int:
    value = int.from_bytes(word, "big")
    if value not in allowed:
        raise ValueError(f"{value} is none of {[int(choice) for choice in allowed]}")
    return value


_VERDICTS = {int(choice).to_bytes(WORD, "big"): choice for choice in Verdict}
_STATUSES = {int(choice).to_bytes(WORD, "big"): choice for choice in Status}

_READERS: dict[str, Reader] = {
    "address": account,
    "bool": _boolean,
    "bytes32": _bytes32,
    "bytes4": _bytes4,
    "uint256": _integer,
    "bitmap": _bits,
    "verdict": _VERDICTS.__getitem__,
    "status": _STATUSES.__getitem__,
}

# A list is read by itself; see `read_opening`.
_TERMS = tuple(None if field.type.endswith("[]") else reader(field.type) for field in TERMS.fields)
_MILESTONE = tuple(reader(field.type) for field in MILESTONE.fields)


def read_opening(data: Sequence[bytes]) -> tuple[Terms, tuple[Milestone, ...]]:
    """The data of `AgreementOpened`: `Terms`, then `Milestone[]`."""
    # Two offsets come first; within the terms, that of the verifiers is the fifth word.
    terms, verifiers = data[2:], _length(data, 2 + TERMS_WORDS, MAX_VERIFIERS)
    at = 2 + TERMS_WORDS + 1 + verifiers
    count = _length(data, at, MAX_MILESTONES)
    if [_integer(word) for word in (data[0], data[1], terms[4])] != [
        2 * WORD,
        at * WORD,
        TERMS_WORDS * WORD,
    ] or len(data) != at + 1 + count * MILESTONE_WORDS:
        raise ValueError("the parts of an opening do not lie one behind the other")
    first = at + 1
    return _terms(terms, verifiers), tuple(
        _milestone(data[start : start + MILESTONE_WORDS])
        for start in range(first, len(data), MILESTONE_WORDS)
    )


def _length(data: Sequence[bytes], at: int, most: int) -> int:
    length = _integer(data[at])
    if length > most:
        raise ValueError(f"a list of {length}, at most {most} can be")
    return length


def _terms(data: Sequence[bytes], verifiers: int) -> Terms:
    listed = tuple(map(account, data[TERMS_WORDS + 1 : TERMS_WORDS + 1 + verifiers]))
    words = zip(_TERMS, data[:TERMS_WORDS], strict=True)
    values: list[Any] = [read(word) if read else listed for read, word in words]
    return Terms(*values)


def _milestone(data: Sequence[bytes]) -> Milestone:
    return Milestone(*(read(word) for read, word in zip(_MILESTONE, data, strict=True)))
