"""VAT in an agreement file: read strictly, rounded once, and nothing changes for files without."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.change_orders.difference import difference
from milestone_escrow.documents.money import Denomination
from milestone_escrow.documents.render import render_agreement
from milestone_escrow.documents.vat import REVERSE_CHARGE, Taxed, Vat, read_vat
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.words.checked import ReportTeller

Load = Callable[..., Agreement]

USDC = Denomination("USDC", 6)
CENT = 10_000
FEE = "  fee: none\n"
RATES = st.fractions(0, 1, max_denominator=10_000).filter(lambda rate: rate > 0)


def test_a_file_that_says_nothing_of_vat_keeps_its_hash(agreement: Agreement) -> None:
    assert agreement.document_hash.hex() == (
        "50952ae30f30d3b50dc921d029834ee87da13d84412590616fca43b1b1f0cfd5"
    )
    assert all(m.vat is None and not m.cost_centre for m in agreement.milestones)


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("19 %", Vat(Fraction(19, 100)), "19 %"),
        ("8.1%", Vat(Fraction(81, 1000)), "8.1 %"),
        ("19 % included", Vat(Fraction(19, 100)), "19 %"),
        ("19 % on top", Vat(Fraction(19, 100), on_top=True), "19 % on top"),
        ("Reverse charge", Vat(Fraction(0), note=REVERSE_CHARGE), "reverse charge"),
        ("exempt, export of goods", Vat(Fraction(0), note="export of goods"),
         "exempt, export of goods"),
        ("none", Vat(Fraction(0)), "none"),
    ],
)  # fmt: skip
def test_reads_what_people_write(text: str, expected: Vat, words: str) -> None:
    assert read_vat(text) == expected
    assert expected.words == words
    assert read_vat(words) == expected


@pytest.mark.parametrize("text", ["19", "0 %", "exempt", "119 %", "19 % off", "-3 %"])
def test_refuses_what_leaves_open_what_is_charged(text: str) -> None:
    with pytest.raises(UsageError):
        read_vat(text)


def test_divides_a_gross_amount_as_an_accountant_does() -> None:
    assert read_vat("19 %").of(119_000_000, USDC) == Taxed(100_000_000, 19_000_000)
    # 72,000.00 × 19 / 119 = 11,495.798… and 0.03 × 50 / 150 = 0.01 exactly.
    assert read_vat("19 %").of(72_000_000_000, USDC).tax == 11_495_800_000
    assert read_vat("50 %").of(30_000, USDC) == Taxed(20_000, 10_000)


def test_rounds_half_a_cent_up() -> None:
    assert read_vat("50 % on top").of(30_000, USDC).tax == 20_000  # 1.5 cents
    assert read_vat("50 % on top").of(10_000, USDC).tax == 10_000  # 0.5 cents


def test_counts_in_whole_units_where_a_token_has_no_cents() -> None:
    assert read_vat("19 %").of(119, Denomination("YEN", 0)) == Taxed(100, 19)


@given(st.integers(0, 10**15), RATES, st.booleans())
def test_net_and_tax_make_the_gross(units: int, rate: Fraction, on_top: bool) -> None:
    taxed = Vat(rate, on_top).of(units, USDC)
    assert (taxed.net if on_top else taxed.gross) == units
    assert taxed.tax % CENT == 0
    assert abs(taxed.tax - taxed.net * rate) <= CENT


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6), RATES, st.booleans())
def test_the_parts_of_a_milestone_add_up(parts: list[int], rate: Fraction, on_top: bool) -> None:
    vat, before, whole = Vat(rate, on_top), 0, Taxed(0, 0)
    for part in parts:
        whole += vat.of_part(before, part, USDC)
        before += part
    assert whole == vat.of(before, USDC)


def test_a_milestone_may_have_a_rate_of_its_own(load: Load) -> None:
    own = "    pays: 50 %\n    vat: 7 %\n    cost_centre: 4711 Furniture\n"
    agreement = load((FEE, FEE + "  vat: 19 %\n"), ("    pays: 50 %\n", own))
    assert [m.vat.words if m.vat else "" for m in agreement.milestones] == ["19 %", "7 %", "19 %"]
    assert agreement.milestone("built").cost_centre == "4711 Furniture"
    text = render_agreement(agreement)
    assert "VAT               19 %, included" in text
    assert "VAT: 7 %, included" in text
    assert "cost centre 4711 Furniture" in text


def test_a_change_of_vat_is_a_difference(load: Load) -> None:
    changes = difference(load(), load((FEE, FEE + "  vat: reverse charge\n"))).changes
    assert {(change.field, change.after) for change in changes} == {("VAT", "reverse charge")}


def test_check_asks_for_what_an_invoice_needs(load: Load) -> None:
    report = load((FEE, FEE + "  vat: 19 % on top\n")).check()
    assert {(f.code, f.where) for f in report.findings} == {
        ("no-tax-id", "parties.supplier"),
        ("no-address", "parties.supplier"),
        ("no-address", "parties.buyer"),
        ("vat-on-top", "payment.vat"),
    }
    on_top = next(f for f in report.findings if f.code == "vat-on-top")
    assert "1,900.00 USDC" in ReportTeller(report).finding(on_top)[0]


def test_a_prefix_is_short_and_plain(refusal: Callable[..., DocumentError]) -> None:
    error = refusal((FEE, FEE + '  invoice_prefix: "=2+3"\n'))
    assert (error.field, error.line) == ("payment.invoice_prefix", 24)
