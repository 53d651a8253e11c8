"""A receipt says what the chain says was paid, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from milestone_escrow.chain.contract.events import MilestonePaid
from milestone_escrow.errors import EscrowError
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.receipt import receipt_pdf
from milestone_escrow.papers.sheet import Layout
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DAY, DEAL, EVIDENCE
from tests.unit.papers.print import Print

Printed = Callable[[bytes], Print]


def test_says_what_was_paid_why_and_in_which_transaction(ledger: Ledger, printed: Printed) -> None:
    text = printed(receipt_pdf(ledger, "manufactured")).text
    (paid,) = ledger.payouts(1)
    for words in (
        "Receipt number PO-2027-0114-manufactured-R1", "Paid on 18 Mar 2027",
        "For invoice PO-2027-0114-manufactured", "certified by Indus Survey, not disputed",
        "Net 57,478.99 VAT 19 % 10,921.01 Paid 68,400.00 USDC",
        "Less escrow fee −684.00 Received 67,716.00",
        "Nordlicht Teppiche GmbH had paid this into the escrow contract",
        "Previously paid 24,000.00 This receipt 68,400.00 Balance after this 147,600.00",
        paid.place.transaction, EVIDENCE.hex(),
    ):  # fmt: skip
        assert words in text, words


def test_does_not_change_with_what_happens_later(played: Played) -> None:
    ledger = played.ledger()
    first = next(e for e in ledger.own if isinstance(e, MilestonePaid) and e.milestone == 1)
    until = tuple(e for e in ledger.events if e.place.block <= first.place.block)
    then = Ledger(ledger.bound, ledger.network, until, first.place.time)
    assert receipt_pdf(then, "manufactured") == receipt_pdf(ledger, "manufactured")


def test_lists_every_part_payment_and_their_vat_adds_up(printed: Printed) -> None:
    played = Played.open(DEAL, fund=("packed",))
    amount = played.bound.agreement.milestone("packed").amount
    for done in (amount // 3, amount // 2, amount):
        played.certify("packed", done)
    ledger = played.ledger()
    payments = ledger.payments(ledger.bound.agreement.milestone("packed"))
    assert sum(payment.gross for payment in payments) == amount
    taxes = [payment.taxed.tax for payment in payments if payment.taxed]
    assert sum(taxes) == 14_561_340_000  # 91,200.00 × 19 / 119, rounded once
    text = printed(receipt_pdf(ledger, "packed")).text
    assert "PO-2027-0114-packed-R3" in text
    assert "VAT 19 % 14,561.34 Paid 91,200.00 USDC" in text
    assert text.count("certified by") == 3


@pytest.mark.parametrize("name", ["Indus {Survey}", "Indus {certified.__class__}"])
def test_a_name_is_printed_as_it_is_written(name: str, printed: Printed) -> None:
    assert "name: Indus Survey," in DEAL
    played = Played.open(
        DEAL.replace("name: Indus Survey,", f'name: "{name}",'), fund=("manufactured",)
    )
    played.certify("manufactured")
    text = printed(receipt_pdf(played.ledger(), "manufactured")).text
    assert f"certified by {name}, not disputed" in text


def test_what_was_given_back_is_told_apart(printed: Printed) -> None:
    played = Played.open(DEAL, fund=("packed", "manufactured"))
    supplier = played.world.acting_as(played.bound.terms.supplier)
    buyer = played.world.acting_as(played.bound.terms.buyer)
    supplier.refund(played.bound, "packed", 90_000_000_000)
    buyer.approve(played.bound, "packed")
    text = printed(receipt_pdf(played.ledger(), "packed")).text
    assert "approved by the buyer 1,200.00" in text
    assert "A further 90,000.00 USDC of this milestone went back to the buyer" in text
    assert "Given back to the buyer 90,000.00" in text
    supplier.refund(played.bound, "manufactured")
    with pytest.raises(EscrowError, match="'manufactured': it was given back to the buyer"):
        receipt_pdf(played.ledger(), "manufactured")


@pytest.mark.parametrize(("key", "why"), [("arrived", "nothing was paid for it yet")])
def test_refuses_what_was_not_paid(ledger: Ledger, key: str, why: str) -> None:
    with pytest.raises(EscrowError, match=f"no receipt for '{key}': {why}"):
        receipt_pdf(ledger, key)


def test_refuses_what_was_never_opened_or_funded(draft: Callable[..., Ledger]) -> None:
    with pytest.raises(EscrowError, match="the agreement is not open"):
        receipt_pdf(draft(), "packed")
    with pytest.raises(EscrowError, match="it is not funded"):
        receipt_pdf(Played.open(DEAL, fund=("packed",)).ledger(), "arrived")


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_is_one_page_on_which_nothing_overflows(
    ledger: Ledger, printed: Printed, paper: str
) -> None:
    found = printed(
        receipt_pdf(ledger, "packed", page="https://escrow.example/1", layout=Layout(paper))
    )
    assert len(found.pages) == 1
    assert found.strays == ()


def test_names_whoever_the_receivable_was_sold_to(printed: Printed) -> None:
    played = Played.open(DEAL, fund=("packed",))
    supplier = played.world.acting_as(played.bound.terms.supplier)
    financier = played.world.stranger.address
    supplier.assign(played.bound, "packed", financier)
    played.world.travel(played.world.now + DAY)
    played.world.acting_as(played.bound.terms.buyer).approve(played.bound, "packed")
    assert f"Paid to {financier[:20]}" in printed(receipt_pdf(played.ledger(), "packed")).text
