"""Change orders on paper: numbers go on, money that moves over is counted once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.change.test_amend import CHEAPER, DEARER, both_sign, changed
from tests.cli.conftest import Run
from tests.unit.papers.print import read


@pytest.fixture
def dearer(escrow: Run, opened: Path) -> None:
    """Foundation paid in part, then a change order that makes walls dearer."""
    part = ("attest", "SHED-7", "foundation", "--accept", "--amount", "1,200.00", "--yes")
    assert escrow(*part).status == 0
    change(escrow, DEARER)


def change(escrow: Run, text: str) -> None:
    """Both sign, and the buyer sends what the supplier could not pay."""
    both_sign(escrow, "SHED-7", changed(text))
    if text == DEARER:
        assert escrow("amend", "SHED-7", "--as", "buyer", "--yes").status == 0


def test_the_rest_of_a_milestone_is_billed_under_a_number_of_its_version(
    escrow: Run, dearer: None
) -> None:
    result = escrow("invoice", "SHED-7", "foundation")
    assert "SHED-7-foundation-v2" in result.out
    text = read(Path("SHED-7-foundation-v2.pdf").read_bytes()).text
    assert "Foundation poured 3,000.00" in text
    assert "Less decided before −1,200.00" in text
    assert "Contract price 10,800.00 Previously paid 2,200.00 This invoice 1,800.00" in text
    assert "Balance after this 6,800.00" in text


def test_the_statement_counts_what_moved_over_once(escrow: Run, dearer: None) -> None:
    rows = escrow("statement", "SHED-7", "--json").json["movements"]
    total = {
        word: sum(Decimal(row["gross"]) for row in rows if row["movement"] == word)
        for word in ("paid in", "carried on", "carried over", "paid out", "given back")
    }
    assert total["paid in"] == 10_000
    assert total["carried on"] == 7_800
    # The 800.00 that walls cost more came in with what was carried over.
    assert total["carried over"] == 8_600
    assert total["paid out"] == 2_200


@pytest.mark.parametrize("text", [DEARER, CHEAPER], ids=["dearer", "cheaper"])
def test_an_audit_bundle_holds_all_versions(escrow: Run, opened: Path, text: str) -> None:
    change(escrow, text)
    escrow("approve", "SHED-7", "walls", "--yes")
    assert escrow("audit", "export", "SHED-7").status == 0
    result = escrow("audit", "verify", "SHED-7.audit.zip", "--network", "sandbox")
    assert result.status == 0, result.out
    assert "terms and EIP-712 digest follow, 2 versions" in result.words
    assert "10,000.00 USDC in = 1,000.00 USDC paid + 9,000.00 USDC carried on" in result.words
