"""Amounts for people and token units for machines."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.documents.amounts import SplitError, split_evenly, split_price
from milestone_escrow.documents.money import (
    Denomination,
    Part,
    Percent,
    Rest,
    Sum,
    format_amount,
    format_percent,
    parse_amount,
    read_part,
    read_percent,
)
from milestone_escrow.errors import UsageError

USDC = Denomination("USDC", 6)
units = st.integers(min_value=0, max_value=2**128 - 1)
currencies = st.integers(min_value=0, max_value=18).map(lambda n: Denomination("USDC", n))


@given(units, currencies)
def test_what_is_shown_can_be_read_again(amount: int, currency: Denomination) -> None:
    assert parse_amount(format_amount(amount, currency), currency) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (72_000_000_000, "72,000.00 USDC"),
        (1, "0.000001 USDC"),
        (1_500_000, "1.50 USDC"),
        (0, "0.00 USDC"),
        (-2_500_000, "-2.50 USDC"),
    ],
)
def test_shows_thousands_and_at_least_two_decimals(amount: int, text: str) -> None:
    assert format_amount(amount, USDC) == text


def test_shows_no_decimals_where_the_token_has_none() -> None:
    assert format_amount(1_234, Denomination("PT", 0), symbol=False) == "1,234"


@pytest.mark.parametrize(
    "text", ["1.000,00", "1,00", "12,34,567.00", "-5", "", "1e6", "five", "١٢"]
)
def test_refuses_amounts_that_could_mean_something_else(text: str) -> None:
    with pytest.raises(UsageError, match="not an amount"):
        parse_amount(text, USDC)


def test_refuses_more_decimals_than_the_token_has() -> None:
    with pytest.raises(UsageError, match="at most 6 digits"):
        parse_amount("1.0000001", USDC)


def test_refuses_another_symbol() -> None:
    with pytest.raises(UsageError, match="in EURC"):
        parse_amount("5.00 EURC", USDC)


def test_refuses_more_than_the_contract_can_hold() -> None:
    with pytest.raises(UsageError, match="larger than"):
        parse_amount(str(2**128), USDC)


def test_percentages_are_exact() -> None:
    assert read_percent("33.333333 %").value == Fraction(33_333_333, 100_000_000)
    assert format_percent(Fraction(1, 8)) == "12.5 %"


@pytest.mark.parametrize("text", ["101 %", "-1 %", "%", "1.2.3 %", "12.5"])
def test_refuses_what_is_no_percentage(text: str) -> None:
    with pytest.raises(UsageError, match="not a percentage"):
        read_percent(text)


def test_parts_are_percentages_amounts_or_the_rest() -> None:
    assert read_part("half") == Percent(Fraction(1, 2))
    assert read_part("the rest") == Rest()
    assert read_part("1,000.50 USDC") == Sum(Decimal("1000.50"), "USDC")
    with pytest.raises(UsageError, match="neither a percentage nor an amount"):
        read_part("some")


@st.composite
def percentages(draw: st.DrawFn) -> list[Part]:
    cuts = draw(st.lists(st.integers(1, 9_999), max_size=20, unique=True))
    points = [0, *sorted(cuts), 10_000]
    return [Percent(Fraction(b - a, 10_000)) for a, b in pairwise(points)]


@given(st.integers(10_000, 2**100), percentages())
def test_percentages_add_up_to_the_last_unit(price: int, parts: list[Part]) -> None:
    amounts = split_price(price, parts, USDC)
    assert sum(amounts) == price
    for amount, part in zip(amounts[:-1], parts[:-1], strict=True):
        assert isinstance(part, Percent)
        assert amount == int(price * part.value)


@given(st.integers(10_000, 2**100), percentages(), st.integers(1, 12))
def test_the_rest_takes_what_the_others_leave(price: int, parts: list[Part], rests: int) -> None:
    amounts = split_price(price, [*parts[:-1], *[Rest()] * rests], USDC)
    assert sum(amounts) == price
    shares = amounts[len(parts) - 1 :]
    assert max(shares) - min(shares) < rests


def test_the_last_part_takes_the_remainder() -> None:
    parts = [read_percent("33.33 %"), read_percent("33.33 %"), read_percent("33.34 %")]
    assert split_price(1_001, parts, USDC) == (333, 333, 335)


def test_an_amount_among_percentages_is_kept() -> None:
    parts = [Sum(Decimal("0.000333")), read_percent("66.7 %")]
    assert split_price(1_000, parts, USDC) == (333, 667)


@given(st.integers(10_000, 2**60), st.integers(-9_999, 9_999).filter(bool))
def test_parts_that_do_not_add_up_are_refused(price: int, off: int) -> None:
    with pytest.raises(SplitError, match="add up"):
        split_price(price, [Sum(Decimal(price + off).scaleb(-6))], USDC)


@given(st.integers(0, 2**100), percentages())
def test_shares_of_what_is_withheld_add_up(amount: int, parts: list[Part]) -> None:
    shares = [p.value for p in parts if isinstance(p, Percent)]
    assert sum(split_evenly(amount, shares)) == amount
    assert sum(split_evenly(amount, [None, *shares[1:]])) == amount


def test_what_is_copied_from_a_page_has_spaces_that_do_not_break() -> None:
    assert read_percent("99.999\u00a0%") == Percent(Fraction(99_999, 100_000))
    assert read_percent("50\u202f%") == Percent(Fraction(1, 2))
    assert parse_amount("72,000.00\u00a0USDC", USDC) == 72_000 * 10**6
