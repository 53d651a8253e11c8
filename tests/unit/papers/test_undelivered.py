"""Money that was paid and not delivered: no paper says that anybody has received it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from milestone_escrow.chain.contract.tokens import denylist_call
from milestone_escrow.papers.invoice import invoice_pdf
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.receipt import receipt_pdf
from milestone_escrow.papers.statement import StatementRow, movements
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DAY, DEAL
from tests.unit.papers.print import Print

Printed = Callable[[bytes], Print]


def deny(deal: Played, account: str, denied: bool = True) -> None:
    place = bytes.fromhex(deal.bound.terms.token[2:])
    deal.world.chain.send_from(20, place, denylist_call(account, denied))


@pytest.fixture(scope="module")
def ledgers() -> tuple[Ledger, Ledger]:
    """'packed' is paid to a supplier who cannot receive; a week later it is collected. Of
    'manufactured', a third went back to a buyer who could not receive either."""
    deal = Played.open(DEAL, fund=("packed", "manufactured"))
    terms, world = deal.bound.terms, deal.world
    deny(deal, terms.supplier)
    world.acting_as(terms.buyer).approve(deal.bound, "packed")
    deny(deal, terms.buyer)
    world.acting_as(terms.supplier).refund(deal.bound, "manufactured", 10_000 * 10**6)
    before = deal.ledger()
    world.travel(world.now + 7 * DAY)
    deny(deal, terms.supplier, denied=False)
    world.escrow.acting_as(world.stranger).withdraw("USDC", terms.supplier)
    return before, deal.ledger()


@pytest.fixture
def waiting(ledgers: tuple[Ledger, Ledger]) -> Ledger:
    return ledgers[0]


@pytest.fixture
def collected(ledgers: tuple[Ledger, Ledger]) -> Ledger:
    return ledgers[1]


def test_what_was_not_delivered_has_a_notice_and_no_receipt(
    waiting: Ledger, printed: Printed
) -> None:
    text = printed(receipt_pdf(waiting, "packed")).text
    for words in (
        "Payment notice no. PO-2027-0114-packed-N1", "Decided on 14 Jan 2027",
        "Paid in by Nordlicht Teppiche GmbH",
        "Decided 91,200.00 Less escrow fee −912.00 Less not delivered −90,288.00 "
        "Received 0.00 USDC",
        "90,288.00 USDC could not be delivered to Rajwada Exports Pvt Ltd on 14 Jan 2027: the",
        "to be collected with `escrow withdraw`",
    ):  # fmt: skip
        assert words in text, words
    assert "receipt" not in text.lower()
    assert "Received from" not in text


def test_the_receipt_follows_when_it_is_collected(collected: Ledger, printed: Printed) -> None:
    text = printed(receipt_pdf(collected, "packed")).text
    (paid,) = collected.payments(collected.bound.agreement.milestone("packed"))
    assert paid.collected is not None
    for words in (
        "Receipt number PO-2027-0114-packed-R1", "Paid on 21 Jan 2027",
        "Paid 91,200.00 USDC Less escrow fee −912.00 Received 90,288.00",
        "could not be delivered to Rajwada Exports Pvt Ltd on 14 Jan 2027; collected on "
        "21 Jan 2027",
        paid.collected.transaction,
    ):  # fmt: skip
        assert words in text, words


def test_the_invoice_tells_what_waits(waiting: Ledger, collected: Ledger, printed: Printed) -> None:
    text = printed(invoice_pdf(waiting, "packed", date(2027, 1, 20))).text
    assert "Decided on 14 Jan 2027 −91,200.00 Still due 0.00 USDC" in text
    assert "90,288.00 USDC of it could not be delivered and waits there" in text
    text = printed(invoice_pdf(collected, "packed", date(2027, 1, 22))).text
    assert "Paid on 14 Jan 2027 −91,200.00 Still due 0.00 USDC" in text
    assert "could not be delivered" not in text


def test_the_statement_books_it_back_and_out_again(waiting: Ledger, collected: Ledger) -> None:
    def told(rows: tuple[StatementRow, ...]) -> list[tuple[str, ...]]:
        return [(r.movement, r.milestone, r.gross, r.vat, r.counterparty) for r in rows]

    buyer, supplier = "Nordlicht Teppiche GmbH", "Rajwada Exports Pvt Ltd"
    assert told(movements(waiting))[2:] == [
        ("paid out", "packed", "91200.00", "14561.34", supplier),
        ("not delivered", "packed", "90288.00", "", supplier),
        ("given back", "manufactured", "10000.00", "", buyer),
        ("not delivered", "manufactured", "10000.00", "", buyer),
    ]
    last = movements(collected)[-1]
    assert (last.movement, last.gross, last.date) == ("collected", "90288.00", "2027-01-21")


def test_the_rows_add_up_to_what_the_contract_keeps(waiting: Ledger, collected: Ledger) -> None:
    def kept(ledger: Ledger) -> Decimal:
        signs = {"paid in": 1, "not delivered": 1}
        return sum(
            (signs.get(row.movement, -1) * Decimal(row.gross) for row in movements(ledger)),
            Decimal(0),
        )

    # 58,400.00 are held and 10,000.00 wait for the buyer.
    assert (kept(waiting), kept(collected)) == (Decimal("158688.00"), Decimal("68400.00"))
