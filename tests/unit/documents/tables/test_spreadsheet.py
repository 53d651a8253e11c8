"""Milestones out of spreadsheets as people and programs write them."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import openpyxl
import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.tables import spreadsheet
from milestone_escrow.documents.tables.spreadsheet import read_milestones, with_milestones
from milestone_escrow.errors import UsageError
from tests.unit.documents.conftest import PLAIN

CSV = """\
Milestone,Amount,Due,Responsible,Verified by,Requires
Tables built,60 %,2027-03-15,supplier,inspector; bank,photos from supplier; after delivered
Tables delivered,"4,000.00",,,,
"""
ROWS: list[dict[str, object]] = [
    {
        "key": "tables_built",
        "title": "Tables built",
        "pays": "60 %",
        "due": "2027-03-15",
        "responsible": "supplier",
        "verified_by": "inspector, bank",
        "requires": ["photos from supplier", "after delivered"],
    },
    {"key": "tables_delivered", "title": "Tables delivered", "pays": "4,000.00 USDC"},
]


def book(*rows: tuple[object, ...], shares: str = "") -> bytes:
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    for row in rows:
        sheet.append(row)
    if shares:
        sheet[shares].number_format = "0.0%"
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\r"),
        CSV.replace("Amount", "amount").replace("Verified by", "verified_by"),
        "\n".join(("", CSV, ",,,,,", "")),
    ],
)
def test_reads_csv_whatever_wrote_it(text: str) -> None:
    assert read_milestones("plan.csv", text.encode(), "USDC") == ROWS


@pytest.mark.parametrize("divider", [";", "\t"])
def test_finds_out_how_columns_are_divided(divider: str) -> None:
    text = f"Title{divider}Price\nBuilt, and oiled{divider}70 %\n"
    (found,) = read_milestones("plan.csv", text.encode(), "USDC")
    assert (found["title"], found["pays"]) == ("Built, and oiled", "70 %")


def test_reads_xlsx_with_its_dates_and_shares() -> None:
    content = book(
        ("Id", "Milestone", "Amount", "Due date", "Owner"),
        ("B1", "Tables built", 0.125, datetime(2027, 3, 15), None),  # noqa: DTZ001 (a cell's)
        (None, "Tables delivered", 4000, None, "supplier"),
        (None, "Tables oiled", 99.5, None, None),
        shares="C2",
    )
    assert read_milestones("plan.xlsx", content, "USDC") == [
        {"key": "b1", "title": "Tables built", "pays": "12.5 %", "due": "2027-03-15"},
        {
            "key": "tables_delivered",
            "title": "Tables delivered",
            "pays": "4000 USDC",
            "responsible": "supplier",
        },
        {"key": "tables_oiled", "title": "Tables oiled", "pays": "99.5 USDC"},
    ]


def test_a_title_that_is_no_word_gets_a_key_by_its_place() -> None:
    content = "Milestone,Amount\n第一,10 %\n2nd floor,90 %\n".encode()
    assert [row["key"] for row in read_milestones("plan.csv", content, "USDC")] == [
        "stage_1",
        "stage_2",
    ]


def test_an_agreement_takes_them_instead_of_its_own() -> None:
    rows = CSV.replace("after delivered", "").replace("inspector; bank", "all of inspector; bank")
    rows = rows.replace('"4,000.00",', '"4,000.00",2027-04-10')
    text = with_milestones(PLAIN, "plan.csv", rows.encode(), "USDC")
    agreement = Agreement.loads(text)
    assert [m.key for m in agreement.milestones] == ["tables_built", "tables_delivered"]
    assert agreement.milestones[0].quorum == 2
    assert [agreement.amount(m.amount) for m in agreement.milestones] == [
        "6,000.00 USDC",
        "4,000.00 USDC",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "plan has no rows"),
        (b"Milestone,Amount\n", "0 milestones, 1 to 60 are possible; add a row"),
        (b"Milestone,Amount\n" + b"Built,1\n" * 61, "61 milestones.*; divide it"),
        (b"Milestone,Due\nBuilt,2027-03-15\n", "no column 'Amount'.*it has Milestone, Due"),
        (b"Amount\n1\n", "no column 'Milestone'"),
        (b"Milestone,Amount\nBuilt,1\nOiled,\n", "row 3 of plan has no amount"),
        (b"Milestone,Amount\n,1\n", "row 2 of plan has no title"),
        (b"Milestone,Amount\n\xff,1\n", "neither XLSX nor CSV in UTF-8"),
        (b"PK no archive", "cannot be read as a spreadsheet"),
        (b"Milestone,Amount\n" + b"x" * 200_000 + b",1\n", "is not CSV"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(content: bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_milestones("plan", content, "USDC")


def test_a_sheet_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_UNPACKED", 10_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "0" * 10_001)
    with pytest.raises(UsageError, match="is too large"):
        read_milestones("plan.xlsx", out.getvalue(), "USDC")
