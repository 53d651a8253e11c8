"""Places in a list, handed out as opaque text and checked when they come back."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TypeAlias

from milestone_escrow.oracle.api.problems import Problem

Place: TypeAlias = tuple[int | str, ...]

PATTERN = r"^[A-Za-z0-9_-]{4,400}$"
_SHAPE = re.compile(PATTERN)


def encode(kind: str, place: Place) -> str:
    """The text of a place in lists of one kind."""
    raw = json.dumps([kind, *place], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(kind: str, text: str, *shape: type[int] | type[str]) -> Place:
    """The place that `encode` wrote, with members of exactly these types.

    Raises:
        Problem: it is not a cursor of such a list.
    """
    place = _read(text)
    if place is None or len(place) != len(shape) + 1 or place[0] != kind:
        raise refused()
    members = place[1:]
    if any(type(member) is not wanted for member, wanted in zip(members, shape, strict=True)):
        raise refused()
    # SQLite and PostgreSQL keep 64 bits; a larger number would fail there, not here.
    if any(isinstance(member, int) and not -(2**63) <= member < 2**63 for member in members):
        raise refused()
    return tuple(members)


def _read(text: str) -> list[int | str] | None:
    if not _SHAPE.fullmatch(text):
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        place = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return place if isinstance(place, list) and place else None


def refused() -> Problem:
    return Problem(
        400,
        "the cursor is not one of this list",
        kind="bad-cursor",
        hint="start without a cursor, then follow `next`",
    )
