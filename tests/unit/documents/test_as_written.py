"""What people wrote comes back as they wrote it, and what was meant otherwise is said."""

from __future__ import annotations

import re

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check.finding_kinds import UnknownToken
from milestone_escrow.errors import DocumentError
from milestone_escrow.words.check_report import render_report
from tests.unit.documents.conftest import PLAIN


def with_price(price: str, more: str = "") -> str:
    return PLAIN.replace('price: "10,000.00 USDC"', f'price: "{price}"{more}')


@pytest.mark.parametrize(("currency", "token"), [("EUR", "EURC"), ("USD", "USDC"), ("SGD", "XSGD")])
def test_a_currency_is_no_token_and_names_the_one_that_stands_for_it(
    currency: str, token: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        Agreement.loads(with_price(f"10,000.00 {currency}"))
    assert f"{currency} is a currency, and the contract pays in tokens" in str(caught.value)
    assert f"write {token}" in caught.value.hint


def test_a_token_that_is_not_known_here_is_a_finding() -> None:
    text = with_price("10,000.00 ODDX", "\n  decimals: 18")
    found = [one.kind for one in Agreement.loads(text).check().warnings]
    assert UnknownToken("ODDX", 18) in found
    known = [one.kind for one in Agreement.loads(PLAIN).check().findings]
    assert not [kind for kind in known if isinstance(kind, UnknownToken)]


def test_every_two_weeks_is_not_taken_for_weekly() -> None:
    first = PLAIN.index("  - deposit: 10 %")
    text = (
        PLAIN[:first]
        + '  - biweekly: {payments: 2, of: "100.00", first: 2027-02-28}\n'
        + PLAIN[first:]
    )
    with pytest.raises(DocumentError) as caught:
        Agreement.loads(text)
    assert "did you mean" not in str(caught.value)
    assert "every two weeks" in str(caught.value)


def test_columns_stand_apart_however_many_decimals_a_token_has() -> None:
    text = with_price("1,234,567.000000000000000008 DAI", "\n  decimals: 18")
    told = render_report(Agreement.loads(text).check()).partition("Exposure")[2].splitlines()
    rows = [re.split(r" {2,}", line.strip()) for line in told[2:] if line.strip()]
    assert rows
    for row in rows:
        assert all(re.fullmatch(r"[\d,]+\.\d{2,18}", amount) for amount in row[-4:]), row


RETAINAGE = """
retainage:
  withheld: 10 %
  released:
    - {release: half at completion, key: first, responsible: supplier,
       requires: [photos from supplier]}
    - {release: half after 12 months, key: second, responsible: supplier,
       requires: [photos from supplier]}
"""


def test_retainage_keeps_the_words_agreed() -> None:
    agreement = Agreement.loads(PLAIN + RETAINAGE)
    titles = {milestone.key: milestone.title for milestone in agreement.milestones}
    assert titles["first"].endswith("at completion")
    assert titles["second"].endswith("12 months after it")
