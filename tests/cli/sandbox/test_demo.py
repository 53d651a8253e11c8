"""`escrow demo`: six deals, start to end, every unit accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.sandbox import books
from milestone_escrow.sandbox.player import Player
from milestone_escrow.sandbox.timeline import Outcome

Run = Callable[..., Any]

# Whole USDC to the supplier and back to the buyer, worked out by hand from agreement and story.
EXPECTED = {
    "carpets": {
        "deposit": (24_000, 0),
        "manufactured": (72_000, 0),
        "packed": (35_100, 900),
        "departed": (60_000, 0),
        "arrived": (48_000, 0),
    },
    "construction": {
        "foundation": (94_500, 0),
        "framing": (113_400, 0),
        "wiring": (75_600, 0),
        "finishing": (92_500, 2_000),
        "completion": (21_000, 0),
        "defects-period": (0, 21_000),
    },
    "electronics": {
        "materials": (37_000, 0),
        "prototype": (27_750, 0),
        "initial-production": (64_750, 0),
        "final-shipment": (55_500, 0),
    },
    "remodelling": {
        "deposit": (5_850, 0),
        "demolition": (9_000, 0),
        "installation": (28_000, 0),
        "completion": (15_000, 650),
    },
    "services": {
        **{f"month-{number}": (100_000, 0) for number in range(1, 11)},
        "month-7": (96_000, 4_000),
    },
    "software": {
        "design": (9_600, 0),
        "backend": (22_400, 0),
        "beta": (8_000, 8_000),
        "final-delivery": (16_000, 0),
    },
}
TOTALS = {
    "carpets": (239_100, 900),
    "construction": (397_000, 23_000),
    "electronics": (185_000, 0),
    "remodelling": (57_850, 650),
    "services": (996_000, 4_000),
    "software": (56_000, 8_000),
}


def units(whole: int) -> str:
    return str(whole * 10**6)


@pytest.mark.parametrize("example", EXPECTED)
def test_everybody_gets_what_the_agreement_and_the_story_say(escrow: Run, example: str) -> None:
    done = escrow("demo", example, "--json")
    assert done.status == 0
    told = done.json
    got = {m["milestone"]: (m["to_payee"], m["to_buyer"]) for m in told["milestones"]}
    assert got == {key: (units(a), units(b)) for key, (a, b) in EXPECTED[example].items()}
    to_supplier, back = TOTALS[example]
    assert (told["to_payee"], told["to_buyer"]) == (units(to_supplier), units(back))
    assert told["funded"] == told["price"] == units(to_supplier + back)
    assert (told["fees"], told["contract_balance"]) == ("0", "0")
    assert (told["ok"], told["problems"]) == (True, [])
    balances = {account["role"]: account["after"] for account in told["accounts"]}
    assert balances == {"buyer": units(back), "supplier": units(to_supplier)}


def test_all_plays_six_and_sums_them_up(escrow: Run) -> None:
    done = escrow("demo", "--all")
    assert done.status == 0
    summary = done.out[done.out.index("All examples") :].splitlines()
    rows = {line.split()[0]: line for line in summary[3:9]}
    assert set(rows) == set(EXPECTED)
    for example, (to_supplier, back) in TOTALS.items():
        assert f"{to_supplier:,}.00" in rows[example]
        assert f"{back:,}.00" in rows[example]
        assert rows[example].endswith("ok")
    assert done.out.count("ok  the contract holds 0.00 USDC") == 6


def test_the_default_story_shows_all_that_a_deal_can_need(escrow: Run) -> None:
    told = escrow("demo", "--json").json
    assert told["example"] == "carpets"
    whats = [beat["what"] for beat in told["timeline"]]
    for part in (
        "deploys the escrow contract",
        "sign PO-2027-0114",
        "opens the agreement and funds all 5 milestones",
        "checks 6 files by SHA-256; no inspection report from inspector; 6 of 12 photos",
        "checks 13 files by SHA-256; nothing is missing",
        "returns manufactured for rework",
        "accepts manufactured",
        "finalizes manufactured: nobody objected for 2 days",
        "disputes packed",
        "rules on packed",
        "finalizes departed: nobody ruled, so the verdict stands",
    ):
        assert any(part in what for what in whats), part


def test_a_part_is_certified_three_times(escrow: Run) -> None:
    told = escrow("demo", "remodelling", "--json").json
    paid = [
        money["text"]
        for beat in told["timeline"]
        for money in beat["money"]
        if beat["milestone"] == "installation" and not money["into_contract"]
    ]
    assert paid == ["8,400.00 USDC", "11,200.00 USDC", "8,400.00 USDC"]


def test_the_clock_starts_on_the_agreements_date_and_never_goes_back(escrow: Run) -> None:
    for example, first in (("carpets", "2027-01-14"), ("services", "2027-01-25")):
        timeline = escrow("demo", example, "--json").json["timeline"]
        moments = [beat["at"] for beat in timeline]
        assert timeline[0]["date"] == first
        assert moments == sorted(moments)


def test_people_read_a_timeline_and_then_the_accounts(escrow: Run) -> None:
    done = escrow("demo", "software")
    assert done.out.startswith("Playing 'software' on a private chain in this process.")
    headings = ["What happened", "Who got what", "Does it add up?"]
    places = [done.out.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "3 Jun 2027  Anyone finalizes beta: nobody ruled, so 50 % to the" in done.out
    assert done.out.count("\nok  ") == 4
    assert done.err == ""


def test_no_colour_off_a_terminal(escrow: Run) -> None:
    assert "\x1b[" not in escrow("demo").out


def test_status_1_if_anything_does_not_add_up(escrow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_unit_left(player: Player) -> Outcome:
        return replace(close(player), contract_balance=1)

    close = books.close
    monkeypatch.setattr(books, "close", one_unit_left)
    done = escrow("demo", "software")
    assert done.status == 1
    assert "NO  the contract holds 0.000001 USDC" in done.out
    assert "the demo does not add up" in done.err
    assert json.loads(escrow("demo", "software", "--json").out)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("carpet",), "'carpet' is not an example; did you mean 'carpets'?"),
        (("carpets", "--all"), "an example or --all, not both"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    escrow: Run, arguments: tuple[str, ...], complaint: str
) -> None:
    done = escrow("demo", *arguments)
    assert done.status == 2
    assert complaint in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_first_line_comes_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    """How long both take is measured in bench/startup.py."""
    script = "from milestone_escrow.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "ESCROW_HOME": str(tmp_path)},
        timeout=120,
        check=True,
    )
    before, _, after = done.stdout.partition("Playing 'carpets'")
    assert " click\n" in before
    for heavy in (" pydantic\n", " eth\n"):
        assert heavy not in before
        assert heavy in after
    assert not list(tmp_path.iterdir())
