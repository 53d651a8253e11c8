"""`escrow status` and `escrow history`."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged

DAY = 86_400


def commands(escrow: Run, *options: str) -> list[str]:
    return [task["command"] for task in escrow("status", *options, "--json").json["tasks"]]


def test_an_empty_shelf_says_how_to_start(escrow: Run, home: Path):
    assert "escrow agreement new" in escrow("status").out


def test_every_suggested_command_runs(escrow: Run, deal: Path, world: World):
    """From a file with one signature to the end, typing only what `status` says."""
    escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    typed: list[str] = []
    for _ in range(20):
        found = commands(escrow)
        if not found:
            break
        typed.append(found[0])
        line = found[0].replace('"…"', "because").split()[1:]
        result = escrow(*line, "--yes")
        assert result.status == 0, f"{line}: {result.err}"
        if "dispute" in line or "submit" in line:
            world.travel(world.now + 8 * DAY)
    assert len({line.split()[1] for line in typed}) >= 5
    assert "Nothing needs you now" in escrow("status").out
    shown = escrow("status", "SHED-7", "--json").json
    assert {milestone["status"] for milestone in shown["milestones"]} == {"settled"}
    assert shown["held"]["units"] == "0"


def test_shows_only_what_one_person_can_do(escrow: Run, opened: Path):
    assert commands(escrow, "--as", "carpenter") == [
        "escrow attest SHED-7 walls --accept --as carpenter"
    ]


def test_leaves_out_who_has_signed(escrow: Run, opened: Path):
    escrow("attest", "SHED-7", "walls", "--accept", "--as", "carpenter", "--yes")
    assert commands(escrow, "--as", "carpenter") == []


def test_the_most_urgent_comes_first(escrow: Run, opened: Path):
    escrow("submit", "SHED-7", "handover", "--yes")
    assert commands(escrow)[0].startswith("escrow dispute SHED-7 handover")


def test_an_agreement_it_cannot_reach_does_not_hide_the_others(
    escrow: Run, opened: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: None)
    result = escrow("status")
    assert result.status == 0
    assert "Not looked at: SHED-7: no sandbox is running" in result.words


def test_a_damaged_file_hides_no_other_agreement(escrow: Run, opened: Path, home: Path):
    (home / "agreements" / f"0x{'ab' * 32}.json").write_text('{"document": {')
    result = escrow("status")
    assert result.status == 0
    assert "Nothing needs you now" not in result.out
    assert "SHED-7 later: foundation, walls, handover" in result.words
    assert f"Not looked at: {home}/agreements/0xabab" in result.words
    assert len(escrow("status", "--json").json["not_looked_at"]) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--as", "nobody"), "there is no key or role 'nobody' here; known are"),
        (("--as", "Supplier"), "there is no key or role 'Supplier' here; did you mean 'supplier'?"),
        (("--network", "nowhere"), "nowhere"),
    ],
)
def test_there_is_no_all_clear_for_who_or_what_is_unknown(
    escrow: Run, opened: Path, options: tuple[str, ...], said: str
):
    result = escrow("status", *options)
    assert result.status == 2
    assert said in result.err
    assert "Nothing needs you" not in result.out


def test_a_table_of_milestones_and_who_may_do_what(escrow: Run, opened: Path):
    escrow("attest", "SHED-7", "foundation", "--accept", "--yes")
    result = escrow("status", "SHED-7")
    assert result.status == 0
    for text in (
        "foundation paid 3,000.00 3,000.00",
        "walls waiting for proof 4,000.00 31 May 2027, 23:59 UTC+02:00 refunds buyer",
        "Held by the contract 6,000.00 USDC, paid 4,000.00 USDC.",
        "Otto Span walls escrow attest SHED-7 walls --accept --as carpenter",
        "Anna Bauer escrow approve SHED-7 MILESTONE --as buyer walls, handover",
    ):
        assert text in result.words


def test_looking_sends_nothing(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        for line in (("status",), ("status", "SHED-7"), ("history", "SHED-7")):
            assert escrow(*line).status == 0


def test_an_agreement_opened_elsewhere_is_known_by_its_file(
    escrow: Run, opened: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = home.parent / "another-machine"
    monkeypatch.setenv("ESCROW_HOME", str(elsewhere))
    assert escrow("status", "SHED-7").status == 2
    assert escrow("status", str(opened)).status == 0
    assert escrow("status", "SHED-7").status == 0


def test_history_tells_who_did_what_and_why(escrow: Run, opened: Path):
    escrow("attest", "SHED-7", "foundation", "--accept", "--evidence", str(opened), "--yes")
    escrow("submit", "SHED-7", "handover", "--yes")
    escrow("dispute", "SHED-7", "handover", "--reason", "The door sticks", "--yes")
    escrow("rule", "SHED-7", "handover", "--to-supplier", "all", "--reason", "It opens", "--yes")
    escrow("refund", "SHED-7", "walls", "--amount", "1,000.00", "--yes")
    result = escrow("history", "SHED-7")
    for text in (
        "both sides opened the agreement, 10,000.00 USDC in 4 milestones",
        "Anna Bauer paid 10,000.00 USDC in for 'deposit', 'foundation', 'walls', 'handover'",
        "Vera Grün accepted 3,000.00 USDC of 'foundation', evidence shed.yaml",
        "contract paid 3,000.00 USDC to Holz & Söhne for 'foundation'",
        "Holz & Söhne said that 'handover' is done; may be objected to until",
        "Anna Bauer disputed 'handover', “The door sticks”",
        "Dr. A. Brandt ruled on 'handover': 2,000.00 USDC to the payee, 0.00 USDC to the buyer",
        "Holz & Söhne gave 1,000.00 USDC of 'walls' back",
    ):
        assert text in result.words
    only = escrow("history", "SHED-7", "walls", "--json").json["events"]
    assert [event["event"] for event in only] == [
        "MilestonesFunded",
        "MilestoneResolved",
        "MilestonePaid",
    ]
    assert all(len(event["transaction"]) == 66 for event in only)


def test_history_shows_a_hash_where_only_others_know_the_words(
    escrow: Run, opened: Path, home: Path
):
    escrow("submit", "SHED-7", "handover", "--yes")
    escrow("dispute", "SHED-7", "handover", "--reason", "The door sticks", "--yes")
    for path in (home / "words").iterdir():
        path.unlink()
    words = escrow("history", "SHED-7", "handover").words
    assert "The door sticks" not in words
    assert "disputed 'handover', SHA-256 " in words


def test_history_has_words_for_every_event():
    from typing import get_args

    from milestone_escrow.chain.contract.events import Event
    from milestone_escrow.words.telling import SENTENCES

    assert set(SENTENCES) == set(get_args(Event))


def test_says_first_what_is_due_and_names_the_rest(escrow: Run, opened: Path):
    """The walls are due in two months: named, with no command, unless somebody looks that far."""
    shown = escrow("status", "--as", "carpenter")
    assert "Nothing needs you now" in shown.out
    assert "SHED-7 later: walls; the first is due in" in shown.words
    far = escrow("status", "--as", "carpenter", "--within", "90d")
    assert "escrow attest SHED-7 walls --accept --as carpenter" in far.words
    assert "later" not in far.out
    refused = escrow("status", "--within", "soon")
    assert refused.status == 2
    assert "soon" in refused.err


def test_a_task_says_whose_it_is_and_when_it_is_due(escrow: Run, opened: Path):
    (task,) = escrow("status", "--as", "carpenter", "--json").json["tasks"]
    assert (task["as"], task["later"]) == ("carpenter", True)
    assert task["who"]
    assert task["due"] < task["until"]


def test_what_comes_after_something_else_is_later(escrow: Run, opened: Path):
    from dataclasses import replace

    from milestone_escrow.documents.files.signed_agreement import SignedAgreement
    from milestone_escrow.documents.requirements.kinds import AfterRequired, AllRequired
    from milestone_escrow.protocol.lifecycle import State, Status
    from milestone_escrow.words.standing import Standing
    from milestone_escrow.words.tasks import is_later, tasks

    bound = SignedAgreement.load("shed.signed.json").bound
    first, walls = bound.agreement.milestones[1:3]
    walls = replace(walls, requirements=AllRequired((AfterRequired(first.key),)))
    now = walls.due_at - 86_400
    for status, later in ((Status.FUNDED, True), (Status.SETTLED, False)):
        before = Standing(bound, first, State(status), now)
        own = Standing(bound, walls, State(Status.FUNDED), now)
        (task,) = [one for one in tasks("SHED-7", own) if one.verb == "attest"][:1]
        assert is_later(task, own, (before, own), 30 * 86_400) is later


def test_a_long_series_is_one_row():
    from milestone_escrow.cli.status.status import _as_series

    keys = ["deposit", *(f"report-{number:02}" for number in range(1, 61)), "rest"]
    columns = {
        "milestone": keys,
        "status": ["paid"] * 3 + ["waiting for proof"] * 59,
        "USDC": ["100.00"] * 61 + ["104.00"],
        "ends": [f"day {number}" for number in range(62)],
    }
    shown = _as_series(columns)
    assert shown["milestone"] == [
        "deposit", "report-01", "report-02", "report-03 … report-60, each", "rest"
    ]  # fmt: skip
    assert shown["ends"][3] == "day 3 … day 60"
    assert shown["USDC"][3:] == ["100.00", "104.00"]
