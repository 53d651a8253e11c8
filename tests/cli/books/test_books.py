"""Invoices, receipts and statements from the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.unit.papers.print import read


def test_invoice_writes_a_file_named_by_its_number(escrow: Run, opened: Path) -> None:
    result = escrow("invoice", "SHED-7", "walls", "--date", "2027-03-20")
    assert result.status == 0
    assert "Written SHED-7-walls.pdf" in result.out
    assert "invoice SHED-7-walls of 20 Mar 2027: 4,000.00 USDC of 4,000.00 USDC still due" in (
        result.words
    )
    found = read(Path("SHED-7-walls.pdf").read_bytes())
    assert "Holz & Söhne" in found.text
    assert "4,000.00 USDC waits in the escrow contract" in found.text
    assert "The agreement does not state VAT." in found.text


def test_invoice_of_an_agreement_that_nobody_has_signed(
    escrow: Run, deal: Path, world: World
) -> None:
    result = escrow("invoice", str(deal), "walls", "-o", "one.pdf", "--letter", "--json")
    assert result.json["kind"] == "invoice"
    assert result.json["amount"] == {"units": "4000000000", "text": "4,000.00 USDC"}
    found = read(Path("one.pdf").read_bytes())
    assert "pays 4,000.00 USDC into the escrow contract" in found.text
    assert found.size[0] == pytest.approx(215.9, abs=0.1)


def test_receipt_reads_the_chain(escrow: Run, opened: Path) -> None:
    refused = escrow("receipt", "SHED-7", "walls")
    assert refused.status == 1
    assert "there is no receipt for 'walls': nothing was paid for it yet" in refused.err
    escrow("approve", "SHED-7", "walls", "--yes")
    result = escrow("receipt", "SHED-7", "walls", "--page", "https://escrow.example/SHED-7")
    assert "receipt SHED-7-walls-R1 of 1 Mar 2027: 4,000.00 USDC paid" in result.words
    found = read(Path("SHED-7-walls-R1.pdf").read_bytes())
    assert "approved by the buyer" in found.text
    assert "Paid 4,000.00 USDC" in found.text


def test_statement_lists_movements_and_writes_csv(escrow: Run, opened: Path) -> None:
    escrow("approve", "SHED-7", "walls", "--yes")
    shown = escrow("statement", "SHED-7")
    assert "paid in" in shown.out
    assert "paid out" in shown.out
    written = escrow("statement", "SHED-7", "-o", "shed.csv")
    assert "shed.csv: 6 movements" in written.words
    with Path("shed.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["movement"] for row in rows] == ["paid in"] * 4 + ["paid out"] * 2
    assert rows[-1]["gross"] == "4000.00"
    assert len(escrow("statement", "SHED-7", "--json").json["movements"]) == 6


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("invoice", "SHED-7", "roof"), "'roof' is not a milestone"),
        (("invoice", "SHED-7", "2"), "milestones have names, not numbers"),
        (("invoice", "SHED-7", "walls", "--date", "tomorrow"), "tomorrow"),
        (("invoice", "SHED-7", "walls", "-o", "no/such/place.pdf"), "cannot be written"),
        (("statement", "SHED-7", "-o", "no/such/place.csv"), "cannot be written"),
        (("invoice", "SHED-7", "walls", "--font", "shed.yaml"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    escrow: Run, opened: Path, line: tuple[str, ...], words: str
) -> None:
    result = escrow(*line)
    assert result.status in (1, 2)
    assert words in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_an_agreement_is_printed_as_a_contract(escrow: Run, deal: Path, world: World) -> None:
    result = escrow("agreement", "show", str(deal), "--pdf", "-o", "contract.pdf")
    assert "Written contract.pdf" in result.out
    assert read(Path("contract.pdf").read_bytes()).text.count("date, signature") == 2
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", str(deal), "--as", role, "--yes").status == 0
    again = ("agreement", "show", "SHED-7", "--pdf", "-o", "contract.pdf")
    assert "contract.pdf exists already" in escrow(*again).err
    shown = escrow(*again, "--force", "--json")
    assert shown.json == {"file": "contract.pdf", "reference": "SHED-7"}
    assert "signed by" in read(Path("contract.pdf").read_bytes()).text
    refused = escrow(*again, "--force", "--font", str(deal))
    assert f"the font {deal} cannot be read" in refused.err
