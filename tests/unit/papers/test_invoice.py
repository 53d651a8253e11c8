"""An invoice says what is due, to the cent, and how the escrow pays it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from milestone_escrow.chain.contract.events import MilestoneAttested
from milestone_escrow.errors import UsageError
from milestone_escrow.papers import typeface
from milestone_escrow.papers.invoice import invoice_pdf
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.sheet import Layout
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DEAL
from tests.unit.papers.print import Print

DAY = date(2027, 3, 25)
Printed = Callable[[bytes], Print]
Draft = Callable[..., Ledger]


def test_names_everything_that_an_accountant_looks_for(ledger: Ledger, printed: Printed) -> None:
    text = printed(invoice_pdf(ledger, "manufactured", DAY)).text
    for words in (
        "Rajwada Exports Pvt Ltd", "Plot 14, Sitapura Industrial Area",
        "Tax ID 08AABCR1234M1Z5", "Nordlicht Teppiche GmbH", "Tax ID DE811234567",
        "PO-2027-0114-manufactured", "Invoice date 25 Mar 2027", "Work due 15 Mar 2027",
        "Purchase order PO-2027-0114", "Cost centre 4200 Goods inwards",
        "1,200 carpets finished, AQL 2.5 passed 72,000.00", "Less retainage −3,600.00",
        "Net 57,478.99", "VAT 19 % 10,921.01", "Total 68,400.00",
        ledger.bound.id.hex(), ledger.bound.agreement.document_hash.hex(),
        ledger.bound.domain.verifying_contract, "Page 1 of 1",
    ):  # fmt: skip
        assert words in text, words


def test_counts_what_was_paid_what_is_due_and_what_remains(
    ledger: Ledger, printed: Printed
) -> None:
    text = printed(invoice_pdf(ledger, "packed", DAY)).text
    assert "Total 91,200.00" in text
    assert "Paid on 21 Mar 2027 −30,400.00 Still due 60,800.00 USDC" in text
    # 240,000.00 less the deposit of 24,000.00, 68,400.00 and the 91,200.00 of this invoice.
    assert "Contract price 240,000.00 Previously paid 92,400.00 This invoice 91,200.00" in text
    assert "Balance after this 56,400.00 of which retainage 10,800.00" in text


def test_says_where_the_money_is_and_what_pays_it(ledger: Ledger, printed: Printed) -> None:
    text = printed(invoice_pdf(ledger, "arrived", DAY)).text
    assert "45,600.00 USDC waits in the escrow contract" in text
    assert "2 of Elbe Logistik, Indus Survey certify the milestone" in text.replace(
        "2 of Indus Survey, Elbe Logistik", "2 of Elbe Logistik, Indus Survey"
    )
    assert "nobody has objected for 2 days" in text
    assert "goes back to Nordlicht Teppiche GmbH after 19 Jun 2027, 23:59 UTC+02:00" in text


def test_says_who_accounts_for_the_vat(ledger: Ledger, printed: Printed) -> None:
    text = printed(invoice_pdf(ledger, "arrived", DAY)).text
    assert "Net, without VAT 45,600.00 Total 45,600.00 USDC" in text
    assert "VAT 0" not in text
    assert "Reverse charge: the recipient accounts for the VAT." in text


def test_a_paid_milestone_owes_nothing(ledger: Ledger, printed: Printed) -> None:
    text = printed(invoice_pdf(ledger, "deposit", DAY)).text
    assert "Payment expected when funded" in text
    assert "Still due 0.00 USDC" in text
    assert "Paid by the escrow contract on 14 Jan 2027" in text


def test_before_anybody_has_paid_it_asks_to_fund(draft: Draft, printed: Printed) -> None:
    text = printed(invoice_pdf(draft(), "manufactured", DAY)).text
    assert "pays 68,400.00 USDC into the escrow contract" in text
    assert "Total 68,400.00 USDC" in text
    assert "Previously paid 0.00" in text


def test_vat_on_top_is_paid_outside_of_the_contract(draft: Draft, printed: Printed) -> None:
    on_top = draft(("vat: 19 %", "vat: 19 % on top"))
    text = printed(invoice_pdf(on_top, "packed", DAY)).text
    assert "Net 91,200.00 VAT 19 % 17,328.00 Total with VAT 108,528.00" in text
    assert "To the escrow 91,200.00 USDC" in text
    assert "the VAT is paid outside of it" in text
    assert "pay nothing outside" not in text


def test_a_number_of_ones_own_and_a_prefix(draft: Draft, printed: Printed, ledger: Ledger) -> None:
    assert "RE 77/2027" in printed(invoice_pdf(ledger, "packed", DAY, number="RE 77/2027")).text
    own = draft(("vat: 19 %", "vat: 19 %, invoice_prefix: NT-27/"))
    assert "Invoice number NT-27/packed" in printed(invoice_pdf(own, "packed", DAY)).text


@pytest.mark.parametrize(("paper", "size"), [("a4", (210, 297)), ("letter", (215.9, 279.4))])
@pytest.mark.parametrize("key", ["deposit", "manufactured", "packed", "arrived", "retainage-2"])
def test_is_one_page_on_which_nothing_overflows(
    ledger: Ledger, printed: Printed, key: str, paper: str, size: tuple[float, float]
) -> None:
    page = "https://escrow.example/agreements/PO-2027-0114"
    found = printed(invoice_pdf(ledger, key, DAY, page=page, layout=Layout(paper)))
    assert found.size == pytest.approx(size, abs=0.1)
    assert len(found.pages) == 1
    assert found.strays == ()
    assert found.ink[0] > 0.02


def test_a_long_name_wraps_and_stays_within_the_margins(draft: Draft, printed: Printed) -> None:
    name = "Vereinigte Ostdeutsche Teppichhandelsgesellschaften " * 3
    long = draft(
        ("Nordlicht Teppiche GmbH", name.strip()),
        ("Packed and sealed in container", "Packed " * 25),
        ("reference: PO-2027-0114", f"reference: {'X' * 120}"),
    )
    found = printed(invoice_pdf(long, "packed", DAY))
    assert found.strays == ()
    assert "Balance after this" in found.text


def test_the_same_input_gives_the_same_bytes(ledger: Ledger, played: Played) -> None:
    first = invoice_pdf(ledger, "packed", DAY, page="https://escrow.example/1")
    assert first == invoice_pdf(played.ledger(), "packed", DAY, page="https://escrow.example/1")
    assert b"/CreationDate (D:20270325000000Z" in first
    assert first != invoice_pdf(ledger, "packed", date(2027, 3, 26))


def test_has_a_code_only_where_it_can_lead_somewhere(ledger: Ledger, printed: Printed) -> None:
    without = printed(invoice_pdf(ledger, "packed", DAY))
    with_page = printed(invoice_pdf(ledger, "packed", DAY, page="https://escrow.example/1"))
    assert "Scan" not in without.text
    assert "Scan" in with_page.text
    assert with_page.ink[0] > without.ink[0] + 0.005


def test_writes_greek_cyrillic_and_vietnamese(draft: Draft, printed: Printed) -> None:
    names = "Αφοί Παπαδόπουλοι ΑΕ, Українські килими, Công ty Nguyễn Đường, Łódź"
    own = draft(("name: Nordlicht Teppiche GmbH", f'name: "{names}"'))
    assert names in printed(invoice_pdf(own, "packed", DAY)).text


def test_refuses_letters_that_would_come_out_as_boxes(
    draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typeface, "system_fonts", lambda: iter(()))
    own = draft(("Nordlicht Teppiche GmbH", "深圳华强电子"))
    with pytest.raises(UsageError, match=r"can write .*\(Han\).*fonts-noto-cjk.*--font"):
        invoice_pdf(own, "packed", DAY)


def test_refuses_a_file_that_is_no_font(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        invoice_pdf(ledger, "packed", DAY, layout=Layout(fonts=(Path(__file__),)))


def test_a_rate_is_printed_as_it_was_written(draft: Draft, printed: Printed) -> None:
    text = printed(invoice_pdf(draft(("vat: 19 %", "vat: 8.875 %")), "packed", DAY)).text
    assert "VAT 8.875 %" in text


def test_the_work_is_due_on_one_day_and_its_payment_expected_on_another(
    ledger: Ledger, printed: Printed
) -> None:
    text = printed(invoice_pdf(ledger, "packed", DAY)).text
    assert "Work due 29 Mar 2027 Payment expected 2 days after it is certified" in text


def test_a_partial_certificate_tells_the_part_that_goes_back(
    ledger: Ledger, printed: Printed
) -> None:
    certified = [
        event.place
        for event in ledger.own
        if isinstance(event, MilestoneAttested) and event.milestone == 2
    ]
    text = printed(invoice_pdf(ledger.until(certified[-1]), "packed", DAY)).text
    assert "certified in part: unless somebody disputes that, the contract pays 30,400.00" in text
    assert "60,800.00 USDC goes on waiting to be certified" in text
    assert "; then 60,800.00 USDC goes back to Nordlicht Teppiche GmbH after 28 Apr 2027" in text


def test_parts_of_a_cent_are_not_passed_over(draft: Draft, printed: Printed) -> None:
    exact = draft(('"240,000.00 USDC"', '"240,000.0001 USDC"'))
    text = printed(invoice_pdf(exact, "packed", DAY)).text
    assert "The contract pays 91,200.000038 USDC exactly, parts of a cent included." in text
    assert "exactly" not in printed(invoice_pdf(draft(), "packed", DAY)).text


def test_who_is_exempt_prints_no_rate(draft: Draft, printed: Printed) -> None:
    text = printed(
        invoice_pdf(draft(("vat: 19 %", 'vat: "exempt, export of goods"')), "packed", DAY)
    ).text
    assert "Net, without VAT 91,200.00 Total 91,200.00 USDC" in text
    assert "VAT 0" not in text
    assert "No VAT is charged: export of goods." in text


def test_what_went_back_bears_no_tax(played: Played, printed: Printed) -> None:
    deal = Played.open(DEAL, fund=("packed",))
    deal.world.acting_as(deal.bound.terms.supplier).refund(deal.bound, "packed")
    text = printed(invoice_pdf(deal.ledger(), "packed", DAY)).text
    assert "Less given back" in text
    assert "Net 0.00 VAT 19 % 0.00 Total 0.00 USDC" in text


def test_a_code_leads_to_a_page_or_nowhere(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="is not the address of a page"):
        invoice_pdf(ledger, "packed", DAY, page="javascript:alert(1)")
