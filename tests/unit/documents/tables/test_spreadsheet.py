"""Milestones out of spreadsheets as people and programs write them."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import Denomination
from milestone_escrow.documents.tables import grid
from milestone_escrow.documents.tables.spreadsheet import Corrections, Understood, understand
from milestone_escrow.errors import UsageError
from tests.unit.documents.conftest import PLAIN

USDC = Denomination("USDC", 6)
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


def taken(name: str, content: bytes, **said: object) -> list[dict[str, object]]:
    """The milestones of a sheet that leaves nothing open."""
    found = understand(name, content, USDC, Corrections(**said))  # type: ignore[arg-type]
    assert found.questions == ()
    return [dict(milestone) for milestone in found.milestones]


def asked(text: str, **said: object) -> Understood:
    return understand("plan.csv", text.encode(), USDC, Corrections(**said))  # type: ignore[arg-type]


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
    assert taken("plan.csv", text.encode()) == ROWS


@pytest.mark.parametrize("divider", [";", "\t"])
def test_finds_out_how_columns_are_divided(divider: str) -> None:
    text = f"Title{divider}Price\nBuilt, and oiled{divider}70 %\n"
    (found,) = taken("plan.csv", text.encode())
    assert (found["title"], found["pays"]) == ("Built, and oiled", "70 %")


def test_reads_xlsx_with_its_dates_and_shares() -> None:
    content = book(
        ("Id", "Milestone", "Amount", "Due date", "Owner"),
        ("B1", "Tables built", 0.125, datetime(2027, 3, 15), None),  # noqa: DTZ001 (a cell's)
        (None, "Tables delivered", 4000, None, "supplier"),
        (None, "Tables oiled", 99.5, None, None),
        shares="C2",
    )
    assert taken("plan.xlsx", content) == [
        {"key": "b1", "title": "Tables built", "pays": "12.5 %", "due": "2027-03-15"},
        {
            "key": "tables_delivered",
            "title": "Tables delivered",
            "pays": "4,000.00 USDC",
            "responsible": "supplier",
        },
        {"key": "tables_oiled", "title": "Tables oiled", "pays": "99.50 USDC"},
    ]


def test_a_title_that_is_no_word_gets_a_key_by_its_place() -> None:
    content = "Milestone,Amount\n第一,10 %\n2nd floor,90 %\n".encode()
    assert [row["key"] for row in taken("plan.csv", content)] == [
        "stage_1",
        "stage_2",
    ]


def test_an_agreement_takes_them_instead_of_its_own() -> None:
    rows = CSV.replace("after delivered", "").replace("inspector; bank", "all of inspector; bank")
    rows = rows.replace('"4,000.00",', '"4,000.00",2027-04-10')
    text = asked(rows).written_into(PLAIN)
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
        (b"Milestone,Amount\n", "0 milestones, 1 to 60 are possible; add rows"),
        (b"Milestone,Amount\n" + b"Built,1\n" * 61, "61 milestones.*; divide it"),
        (b"Milestone,Due\nBuilt,2027-03-15\n", "no column 'amount'; it has Milestone, Due"),
        (b"Milestone,Amount\nBuilt,1\nOiled,\n", "row 3 of plan has no amount"),
        (b"Milestone,Amount\n,1\n", "row 2 of plan has no title"),
        (b"Milestone,Amount\n\x81,1\n", "neither XLSX nor CSV in UTF-8"),
        (b"PK no archive", "cannot be read as a spreadsheet"),
        (b"Milestone,Amount\n" + b"x" * 200_000 + b",1\n", "is not CSV"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(content: bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        understand("plan", content, USDC).written_into(PLAIN)


def test_a_sheet_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "MAX_UNPACKED", 10_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "0" * 10_001)
    with pytest.raises(UsageError, match="is too large"):
        understand("plan.xlsx", out.getvalue(), USDC)


FILES = Path(__file__).parent / "sheets"


@pytest.mark.parametrize("name", ["blank-rows.xlsx", "blank-rows-rest.xlsx"])
def test_blank_rows_lose_no_milestone(name: str) -> None:
    found = understand(name, (FILES / name).read_bytes(), USDC)
    assert found.questions == ()
    filled = [row for row in found.rows if any(row.cells) and row.fate != "heading"]
    assert len(found.milestones) == len(filled)
    assert len({milestone["key"] for milestone in found.milestones}) == len(filled)
    assert sum(row.fate == "blank" for row in found.rows) > 0


def test_a_share_is_a_share() -> None:
    content = (FILES / "share-column.csv").read_bytes()
    assert {str(row["pays"])[-1] for row in taken("share-column.csv", content)} == {"%"}


def test_an_item_beside_a_description_is_its_number() -> None:
    content = (FILES / "item-and-description.csv").read_bytes()
    assert not any(str(row["title"]).isdecimal() for row in taken("plan.csv", content))


def test_what_a_program_computed_is_exact_to_the_cent() -> None:
    found = taken("computed-cells.xlsx", (FILES / "computed-cells.xlsx").read_bytes())
    assert all(re.fullmatch(r"[\d,]+\.\d\d USDC", str(row["pays"])) for row in found)
    assert "64,750.00 USDC" in {row["pays"] for row in found}


def test_a_total_is_no_milestone_and_must_add_up() -> None:
    content = (FILES / "total-row.csv").read_bytes()
    found = understand("total-row.csv", content, USDC)
    assert [row.fate for row in found.rows].count("total") == 1
    assert found.questions == ()
    wrong = asked("Milestone,Amount\nBuilt,10.00\nOiled,20.00\nTotal,31.00\n")
    assert "a total of 31.00, and the rows above add up to 30.00" in wrong.questions[0].text
    with pytest.raises(UsageError, match="add up to"):
        wrong.written_into(PLAIN)


def test_what_stands_before_three_digits_is_asked_about() -> None:
    content = (FILES / "german-thousands.csv").read_bytes()
    (question,) = understand("german-thousands.csv", content, USDC).questions
    assert (question.about, question.answers) == ("decimal", ("point", "comma"))
    read = taken("german-thousands.csv", content, decimal="comma")
    assert {row["pays"] for row in read} == {"24,000.00 USDC", "40,000.00 USDC"}
    text = 'Milestone,Amount\nBuilt,"1,280"\n'
    (question,) = asked(text).questions
    assert question.text == "1,280 may be read in two ways"
    assert taken("plan.csv", text.encode(), decimal="point")[0]["pays"] == "1,280.00 USDC"
    assert taken("plan.csv", text.encode(), decimal="comma")[0]["pays"] == "1.28 USDC"
    assert asked(text + 'Oiled,"2,000.50"\n').total == "3,280.50 USDC"


def test_the_price_is_the_exact_sum_of_what_the_token_can_carry() -> None:
    rows = "Milestone,Amount,Due\nBuilt,34000.129,2027-03-15\nOiled,0.5,2027-04-10\n"
    found = asked(rows, decimal="point")
    assert [row["pays"] for row in found.milestones] == ["34,000.129 USDC", "0.50 USDC"]
    assert found.total == "34,000.629 USDC"
    written = Agreement.loads(found.written_into(PLAIN))
    assert written.amount(written.price) == "34,000.629 USDC"
    (question,) = asked("Milestone,Amount\nBuilt,34000.1234567\nOiled,0.5\n").questions
    assert "row 2 of plan.csv the amount has 7 decimals, USDC has 6" in question.text
    (question,) = asked("Milestone,Amount\nBuilt,10.00 USDC\nOiled,5.00 EURC\n").questions
    assert "is in EURC, and the rows above are in USDC" in question.text


def test_shares_are_shares_of_a_price_that_stays() -> None:
    text = "Milestone,Share,Due\nBuilt,30,2027-03-15\nOiled,70,2027-04-10\n"
    found = asked(text)
    assert found.total == ""
    before, after = Agreement.loads(PLAIN), Agreement.loads(found.written_into(PLAIN))
    assert after.price == before.price
    for rows in ("Oiled,40\n", "Oiled,40 %\n"):
        (question,) = asked("Milestone,Share\nBuilt,30\n" + rows).questions
        assert "add up to 70, neither to 100 % nor to 1; mend the sheet" in question.text
        assert question.answers == ()
    assert asked("Milestone,Share\nBuilt,0.3\nOiled,0.7\n").milestones[0]["pays"] == "30 %"
    assert asked("Milestone,Share\nBuilt,30\nOiled,rest\n").questions == ()
    (question,) = asked("Milestone,Share\nBuilt,3000\nOiled,4000\n").questions
    assert question.answers == ("amount=Share",)


def test_only_columns_that_may_be_it_are_offered() -> None:
    (question,) = asked("Milestone,Amount EUR,Due,Note\nBuilt,10.00,2027-04-01,-\n").questions
    assert question.answers == ("amount=Amount EUR",)


def test_a_date_that_may_be_two_is_asked_about() -> None:
    text = "Milestone,Amount,Due\nBuilt,10.00,04/03/2027\n"
    (question,) = asked(text).questions
    assert (question.about, question.answers) == ("dates", ("day", "month"))
    assert taken("plan.csv", text.encode(), dates="month")[0]["due"] == "2027-04-03"


def test_equal_beginnings_give_keys_of_their_own() -> None:
    text = "Milestone,Amount\n" + "Installation of the second lift,10.00\n" * 3
    assert len({row["key"] for row in taken("plan.csv", text.encode())}) == 3


def test_a_row_without_an_amount_is_shown_and_may_be_left_out() -> None:
    text = "Milestone,Amount\nBuilt,10.00\nNote: prices are net\nOiled,20.00\n"
    (question,) = asked(text).questions
    assert (question.about, question.answers) == ("rows", ("2,4",))
    assert len(taken("plan.csv", text.encode(), rows="2,4")) == 2


def test_cells_command_no_terminal() -> None:
    (row,) = taken("plan.csv", "Milestone,Amount\nBuilt\x1b[2J\u202e,1.00\n".encode())
    assert row["title"] == "Built�[2J�"


def test_columns_can_be_said() -> None:
    text = "Was,Wieviel\nFundament,10.00\n"
    assert asked(text).questions[0].about == "column"
    found = taken("plan.csv", text.encode(), columns={"title": "Was", "amount": "B"})
    assert (found[0]["title"], found[0]["pays"]) == ("Fundament", "10.00 USDC")
    with pytest.raises(UsageError, match="has no column 'Betrag'"):
        asked(text, columns={"amount": "Betrag"})


def test_rows_above_the_headings_are_none_of_it() -> None:
    text = "Plan of works,\nas of March,\nMilestone,Amount\nBuilt,10.00\n"
    found = asked(text)
    assert [row.fate for row in found.rows] == ["heading", "heading", "heading", "milestone"]


def test_another_sheet_can_be_chosen() -> None:
    made = openpyxl.Workbook()
    for title in ("Offer", "Plan"):
        sheet = made.create_sheet(title)
        sheet.append(("Milestone", "Amount"))
        sheet.append((f"{title} built", 10))
    out = io.BytesIO()
    made.save(out)
    (question,) = understand("plan.xlsx", out.getvalue(), USDC).questions
    assert (question.about, question.answers) == ("sheet", ("Offer", "Plan"))
    assert taken("plan.xlsx", out.getvalue(), sheet="Plan")[0]["title"] == "Plan built"
