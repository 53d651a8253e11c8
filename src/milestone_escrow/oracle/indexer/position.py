"""How far the store has come, and where a passage of blocks leads it."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.oracle.indexer.reading import Passage


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the chain was followed, and which block nothing undoes any more."""

    number: int
    hash: bytes
    time: int
    final_number: int
    final_hash: bytes


@dataclass(frozen=True, slots=True)
class Followed:
    """The cursor, and the blocks above the last final one (it included) by number."""

    cursor: Cursor | None
    blocks: dict[int, bytes]


def parent_of(before: Followed, ancestor: int | None) -> bytes | None:
    """The hash that the next block must name; None where any will do."""
    cursor = before.cursor
    if cursor is None or ancestor is None:
        return None
    if ancestor == cursor.number:
        return cursor.hash
    return before.blocks.get(ancestor, cursor.final_hash)


def next_cursor(before: Followed, passage: Passage, final: int) -> Cursor | None:
    """Where the passage leads, and what of it is final."""
    old = before.cursor
    if passage.headers:
        end = passage.headers[-1]
        number, own, at = end.number, end.hash, end.time
    elif old is not None:
        number, own, at = old.number, old.hash, old.time
    else:
        return None
    if old is None:
        first = passage.headers[0]
        # What lies before the first block that is read is taken as final.
        lowest = Cursor(number, own, at, first.number, first.hash)
        if first.number and len(passage.headers) == number - first.number + 1:
            lowest = Cursor(number, own, at, first.number - 1, first.parent)
    else:
        lowest = old
    final = min(final, number)
    if final <= lowest.final_number:
        return Cursor(number, own, at, lowest.final_number, lowest.final_hash)
    hashes = before.blocks | {header.number: header.hash for header in passage.headers}
    # Far back only the last header of a range is read.
    known = max((n for n in hashes if n <= final), default=lowest.final_number)
    if known <= lowest.final_number:
        return Cursor(number, own, at, lowest.final_number, lowest.final_hash)
    return Cursor(number, own, at, known, hashes[known])
