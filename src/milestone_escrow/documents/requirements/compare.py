"""JSON values: found by pointer (RFC 6901), compared exactly, shown shortly.

Not by the library jsonpointer: to it, text is a list, and /status/0 of "done" leads to "d".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from milestone_escrow.documents.requirements.facts import JsonValue

SHOWN = 60

_NUMBER = re.compile(r"-?\d{1,60}(\.\d{1,60})?", re.ASCII)


class NoValueError(LookupError):
    """The pointer leads to nothing; the message says where it ends."""


def at_pointer(document: JsonValue, pointer: str) -> JsonValue:
    """The value that an RFC 6901 pointer leads to.

    Raises:
        NoValueError: there is none.
    """
    value, walked = document, ""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and re.fullmatch(r"0|[1-9]\d{0,8}", name, re.ASCII):
            if int(name) >= len(value):
                raise NoValueError(f"{walked or 'the list'} has only {len(value)} items")
            value = value[int(name)]
        else:
            raise NoValueError(f"there is no {shortened(pointer)} in the answer")
        walked += f"/{token}"
    return value


def meets(value: JsonValue, condition: str, operand: str) -> bool:
    """Whether a JSON value equals, or is at least or at most, what a file says in text.

    Numbers are compared as exact decimals: 1.0 equals 1, 0.1 + 0.2 plays no part. Text that is to
    be compared by size must be a plain number, as APIs that care for money write it.
    """
    if condition == "equals":
        return _equals(value, operand)
    found, wanted = _number(value), _number(operand)
    if found is None or wanted is None:
        return False
    return found >= wanted if condition == "at_least" else found <= wanted


def shown_value(value: JsonValue) -> str:
    """A value for a sentence; long ones are cut off."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "a group of fields"
    return shortened(f"'{value}'" if isinstance(value, str) else str(value))


def shortened(text: str) -> str:
    """At most 60 characters, none of which moves a terminal's cursor."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= SHOWN else clean[: SHOWN - 1] + "…"


def _equals(value: JsonValue, operand: str) -> bool:
    if isinstance(value, str):
        return value == operand
    if isinstance(value, bool) or value is None:
        return shown_value(value) == operand
    if isinstance(value, (int, Decimal)):
        wanted = _number(operand)
        return wanted is not None and Decimal(value) == wanted
    return False


def _number(value: JsonValue) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None
