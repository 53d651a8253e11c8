"""Values at JSON pointers, compared as exact decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from milestone_escrow.documents.requirements.compare import (
    NoValueError,
    at_pointer,
    meets,
    shown_value,
)
from milestone_escrow.documents.requirements.facts import JsonValue

# The document and the pointers of RFC 6901, section 5.
DOCUMENT: JsonValue = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
    'k"l': 6, " ": 7, "m~n": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1),
        ("/c%d", 2), ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_follows_pointers_as_the_standard_says(pointer: str, value: JsonValue) -> None:
    assert at_pointer(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", ["/bar", "/foo/2", "/foo/-", "/foo/00", "/foo/0/x", "/foo/+1"])
def test_says_where_a_pointer_leads_to_nothing(pointer: str) -> None:
    with pytest.raises(NoValueError):
        at_pointer(DOCUMENT, pointer)


@pytest.mark.parametrize(
    ("value", "condition", "operand", "met"),
    [
        ("done", "equals", "done", True),
        ("Done", "equals", "done", False),
        (True, "equals", "true", True),
        (1, "equals", "true", False),
        (True, "equals", "1", False),
        (None, "equals", "null", True),
        (7, "equals", "7", True),
        (Decimal("7.0"), "equals", "7", True),
        ("7.0", "equals", "7", False),
        (Decimal("0.1") + Decimal("0.2"), "equals", "0.3", True),
        (Decimal("0.30000000000000004"), "equals", "0.3", False),
        (Decimal("99.999999999999999999"), "at_least", "100", False),
        (Decimal("100.000"), "at_least", "100", True),
        ("100.000", "at_least", "100", True),
        ("1e3", "at_least", "100", False),
        ("", "at_most", "100", False),
        ("١٠٠", "at_least", "100", False),
        (True, "at_least", "0", False),
        (None, "at_most", "0", False),
        ([], "at_most", "0", False),
        (-5, "at_most", "-5", True),
        (10**60, "at_least", "1", True),
        (5, "at_least", "a lot", False),
    ],
)
def test_compares_exactly(value: JsonValue, condition: str, operand: str, met: bool) -> None:
    assert meets(value, condition, operand) is met


def test_shows_what_it_found_without_letting_it_write_on_the_screen() -> None:
    assert shown_value("a\x1b[31mb\u202ec") == "'a�[31mb�c'"
    assert len(shown_value("x" * 500)) == 60
