"""Rows that an accounting program takes in, and that add up to what the chain moved."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.statement import COLUMNS, movements, statement_csv
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DEAL


def rows(ledger: Ledger) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(statement_csv(movements(ledger)))))


def test_one_row_for_each_movement(ledger: Ledger) -> None:
    found = rows(ledger)
    assert tuple(found[0]) == COLUMNS
    assert [row["movement"] for row in found] == ["paid in"] * 6 + ["paid out"] * 3
    paid = found[7]
    assert paid["milestone"] == "manufactured"
    assert paid["document"] == "PO-2027-0114-manufactured"
    assert paid["cost_centre"] == "4200 Goods inwards"
    assert (paid["net"], paid["vat_rate"], paid["vat"], paid["gross"], paid["fee"]) == (
        "57478.99", "19 %", "10921.01", "68400.00", "684.00",
    )  # fmt: skip
    assert paid["date"] == "2027-03-18"
    assert paid["transaction"].startswith("0x")


def test_the_rows_add_up_to_what_waits_in_the_contract(played: Played, ledger: Ledger) -> None:
    found = rows(ledger)
    into = sum(Decimal(row["gross"]) for row in found if row["movement"] == "paid in")
    out = sum(Decimal(row["gross"]) for row in found if row["movement"] != "paid in")
    held = played.world.balance(played.bound.token, played.bound.domain.verifying_contract)
    assert into - out == Decimal(held) / 10**6
    for row in found:
        if row["net"]:
            assert Decimal(row["net"]) + Decimal(row["vat"]) == Decimal(row["gross"])


def test_a_name_that_is_a_formula_stays_text() -> None:
    own = DEAL.replace("name: Nordlicht Teppiche GmbH", 'name: "=HYPERLINK(1)"')
    found = rows(Played.open(own, fund=("packed",)).ledger())
    assert found[0]["counterparty"] == "'=HYPERLINK(1)"


def test_what_is_given_back_and_sold_is_told(played: Played) -> None:
    deal = Played.open(DEAL, fund=("packed",))
    deal.world.acting_as(deal.bound.terms.supplier).refund(deal.bound, "packed")
    back = rows(deal.ledger())[-1]
    assert (back["movement"], back["gross"], back["vat"], back["counterparty"]) == (
        "given back", "91200.00", "", "Nordlicht Teppiche GmbH",
    )  # fmt: skip


def test_vat_on_top_has_not_moved() -> None:
    deal = Played.open(DEAL.replace("vat: 19 %", "vat: 19 % on top"), fund=("deposit",))
    paid = rows(deal.ledger())[-1]
    assert (paid["net"], paid["vat_rate"], paid["vat"], paid["gross"]) == (
        "24000.00", "19 % on top", "", "24000.00",
    )  # fmt: skip
