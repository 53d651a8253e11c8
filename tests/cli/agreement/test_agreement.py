"""`escrow agreement`: new, check, show."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.examples import names
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run


@pytest.mark.parametrize("example", names())
def test_new_writes_an_agreement_that_checks(escrow: Run, example: str):
    result = escrow("agreement", "new", example, "-o", "deal.yaml")
    assert result.status == 0
    assert "escrow agreement check deal.yaml" in result.out
    assert Agreement.load("deal.yaml").network == "sandbox"
    assert escrow("agreement", "check", "deal.yaml").status == 0


def test_new_takes_the_first_example_and_a_default_name(escrow: Run):
    assert escrow("agreement", "new").status == 0
    assert Agreement.load("agreement.yaml").milestones


def test_new_overwrites_nothing(escrow: Run):
    Path("agreement.yaml").write_text("mine", encoding="utf-8")
    result = escrow("agreement", "new")
    assert (result.status, result.out) == (1, "")
    assert "agreement.yaml exists already" in result.err
    assert Path("agreement.yaml").read_text("utf-8") == "mine"


def test_new_names_the_examples_that_exist(escrow: Run):
    result = escrow("agreement", "new", "carpet")
    assert result.status == 2
    assert "did you mean 'carpets'?" in result.err
    assert not list(Path.cwd().iterdir())


def test_new_lists_the_examples(escrow: Run):
    listed = escrow("agreement", "new", "--list", "--json").json["examples"]
    assert [example["name"] for example in listed] == list(names())


def test_check_says_what_silence_does(escrow: Run, deal: Path):
    result = escrow("agreement", "check", str(deal))
    assert result.status == 0
    assert "If somebody goes silent" in result.out
    assert f"escrow agreement sign {deal} --as buyer" in result.out


def test_check_fails_where_something_must_be_corrected(escrow: Run, deal: Path):
    text = deal.read_text("utf-8").replace("2027-0", "2017-0")
    deal.write_text(text, encoding="utf-8")
    result = escrow("agreement", "check", str(deal), "--json")
    assert result.status == 1
    assert result.json["ok"] is False
    assert any(finding["level"] == "error" for finding in result.json["findings"])


def test_show_prints_the_agreement(escrow: Run, deal: Path):
    result = escrow("agreement", "show", str(deal))
    assert result.status == 0
    assert "4,000.00 USDC  walls: Walls and roof stand" in result.out


def test_show_as_json_gives_amounts_twice(escrow: Run, deal: Path):
    shown = escrow("agreement", "show", str(deal), "--json").json
    walls = shown["milestones"][2]
    assert walls["key"] == "walls"
    assert walls["amount"] == {"units": "4000000000", "text": "4,000.00 USDC"}


MISTAKES = {
    "malformed": ("parties:", "parties: [", "is not valid YAML"),
    "unknown field": ("reference:", "refrence:", "did you mean 'reference'?"),
    "too many decimals": ("10,000.00 USDC", "10,000.0000001 USDC", "at most 6 digits"),
    "does not add up": ("pays: 40 %", "pays: 50 %", "is too much"),
    "duplicate verifier": (
        "0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718",
        "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69",
        "is also the account of surveyor",
    ),
    "quorum above the number": ("2 of 2", "3 of 2", "write at most 2 of 2"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_answers_a_mistake_with_file_line_and_fix(escrow: Run, deal: Path, mistake: str):
    old, new, expected = MISTAKES[mistake]
    deal.write_text(deal.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    for command in ("check", "show"):
        result = escrow("agreement", command, str(deal))
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith(f"Error: {deal}:")
        assert result.err.count("\n") == 1
        assert expected in result.err


def test_lists_agreements_with_totals_of_each_token(escrow: Run, opened: Path, home: Path):
    escrow("approve", "SHED-7", "walls", "--yes")
    (home / "agreements" / f"0x{'ab' * 32}.json").write_text("{")
    found = escrow("agreement", "list", "--json").json
    (row,), (total,), (aside,) = found["agreements"], found["totals"], found["not_looked_at"]
    units = {name: int(row[name]["units"]) for name in ("amount", "funded", "paid", "held")}
    assert (row["reference"], row["state"]) == ("SHED-7", "2 of 4 settled")
    assert units["funded"] == units["paid"] + units["held"]
    assert units["amount"] == 10_000_000_000
    assert row["paid"]["text"] == "5,000.00 USDC"
    assert total["paid"] == row["paid"]
    assert "abab" in aside
    shown = escrow("agreement", "list")
    assert "2 of 4 settled" in shown.words
    assert "Not looked at, and in no total" in shown.words


def test_lists_what_is_not_signed(escrow: Run, deal: Path, world: World):
    assert "There is no agreement here yet" in escrow("agreement", "list").out
    escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    assert "supplier to sign" in escrow("agreement", "list").words
    assert "10,000.00 USDC" in escrow("agreement", "list").words
    refused = escrow("agreement", "list", "--network", "nowhere")
    assert refused.status == 2
    assert "nowhere" in refused.err


SHEET = (
    "Milestone;Amount;Due\nFoundation;24.000;2031-04-01\nRoof;40.000;2031-06-01\nTotal;64.000;\n"
)


def test_new_takes_milestones_from_a_spreadsheet(escrow: Run):
    Path("plan.csv").write_text(SHEET, "utf-8")
    asked = escrow("agreement", "new", "--milestones", "plan.csv", "--yes")
    assert asked.status == 2
    said = " ".join(asked.err.split())
    assert "24.000 may be read in two ways; answer with --decimal 'point'" in said
    assert not Path("agreement.yaml").exists()
    words = ("agreement", "new", "--milestones", "plan.csv", "--decimal", "comma", "--yes")
    done = escrow(*words)
    assert done.status == 0, done.err
    assert "roof: 40,000.00 USDC" in done.words
    assert "The price is their sum, 64,000.00 USDC." in done.words
    written = Agreement.load(Path("agreement.yaml"))
    assert written.amount(written.price) == "64,000.00 USDC"
    assert [milestone.key for milestone in written.milestones] == ["foundation", "roof"]
    again = escrow(*words)
    assert again.status == 1
    assert "exists already" in again.err


def test_new_takes_corrections_of_columns_and_rows(escrow: Run):
    Path("plan.csv").write_text("Was;Wert\nDach;10\nNotiz;5\n", "utf-8")
    done = escrow("agreement", "new", "--milestones", "plan.csv", "--column", "title=Was",
                  "--column", "amount=B", "--rows", "2", "--yes", "--json")  # fmt: skip
    assert done.status == 0, done.err
    assert [row["became"] for row in done.json["rows"]] == ["heading", "milestone", "left out"]
    assert done.json["price"] == "10.00 USDC"
    assert "1 milestone from plan.csv" in escrow(
        "agreement", "new", "--milestones", "plan.csv", "--column", "title=Was", "--column",
        "amount=B", "--rows", "2", "-o", "one.yaml", "--yes",
    ).words  # fmt: skip
    Path("shares.csv").write_text("Milestone;Share\nWall;30\nRoof;70\n", "utf-8")
    shares = escrow("agreement", "new", "--milestones", "shares.csv", "-o", "two.yaml", "--yes")
    assert "does not say the price: 240,000.00 USDC is the example's" in shares.words
    Path("shares.csv").write_text("Milestone;Share\nWall;30\nRoof;40\n", "utf-8")
    short = escrow("agreement", "new", "--milestones", "shares.csv", "-o", "three.yaml")
    assert "mend the sheet, or write 'rest' for one of them" in short.err
    assert "answer with" not in short.err
    for wrong, says in (
        (("--decimal", "comma"), "there is no spreadsheet to correct"),
        (("--milestones", "plan.csv", "--column", "Wert"), "does not say what a column means"),
        (("--milestones", "plan.csv", "--rows", "two"), "names no rows"),
    ):
        refused = escrow("agreement", "new", *wrong, "-o", "other.yaml", "--yes")
        assert refused.status == 2
        assert says in refused.err
