"""`escrow amend` and `escrow extend`: change orders, and a reference that follows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.keys import DevSigner
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import BUYER, DEAL

DAY = 86_400
LATER = DEAL.replace("due: 2027-05-01", "due: 2027-05-15")
DEARER = DEAL.replace('"10,000.00 USDC"', '"10,800.00 USDC"').replace(
    "deposit: 10 %", 'deposit: "1,000.00"'
).replace("pays: 30 %", 'pays: "3,000.00"').replace("pays: 40 %", 'pays: "4,800.00"').replace(
    "pays: 20 %", 'pays: "2,000.00"'
)  # fmt: skip
CHEAPER = DEARER.replace("10,800.00", "9,500.00").replace("4,800.00", "3,500.00")


def changed(text: str) -> str:
    Path("new.yaml").write_text(text, "utf-8")
    return "new.yaml"


def both_sign(escrow: Run, *names: str) -> None:
    first = escrow("amend", *names, "--as", "buyer", "--yes")
    assert first.status == 0, first.err
    last = escrow("amend", "SHED-7", "--as", "supplier", "--yes")
    assert last.status == 0, last.err


def milestones(escrow: Run, name: str = "SHED-7") -> dict[str, dict[str, str]]:
    shown = escrow("status", name, "--json").json
    return {found["key"]: found for found in shown["milestones"]}


def balance(world: World, account: str = BUYER) -> int:
    return world.balance(world.escrow.token("USDC"), account)


def test_shows_the_difference_and_the_plan_before_anyone_signs(
    escrow: Run, opened: Path, unchanged: Unchanged
):
    new = changed(LATER)
    with unchanged():
        result = escrow("amend", "SHED-7", new, "--as", "buyer", answers="n\n")
    assert result.status == 130
    for text in (
        "Milestone walls due: 1 May 2027 -> 15 May 2027",
        "'walls' goes on under the new terms, with 4,000.00 USDC",
        "9,000.00 USDC moves over from the version before",
        "Needs Anna Bauer and Holz & Söhne, of whom nobody has signed; counts until 31 Mar 2027",
        "Sign it?",
    ):
        assert text in result.words
    assert Path(new).read_text("utf-8") == LATER
    assert not Path("new.change.json").exists()


def test_both_sign_and_the_last_one_sends(escrow: Run, opened: Path, world: World):
    first = escrow("amend", "SHED-7", changed(LATER), "--as", "buyer", "--yes")
    assert "Signed by Anna Bauer; the change order is in new.change.json." in first.words
    assert "escrow amend new.change.json --as supplier" in first.out
    second = escrow("amend", "new.change.json", "--as", "supplier", "--yes")
    assert second.status == 0
    assert "due: 1 May 2027 -> 15 May 2027" in second.words
    assert "SHED-7 now means the new version" in second.words
    found = milestones(escrow)
    assert list(found) == ["foundation", "walls", "handover"]
    assert found["walls"]["held"]["text"] == "4,000.00 USDC"
    assert "14 Jun 2027" in found["walls"]["silence"]


def test_the_file_then_says_what_it_continues(escrow: Run, opened: Path):
    both_sign(escrow, "SHED-7", changed(LATER))
    text = Path("new.yaml").read_text("utf-8")
    assert "replaces: 0x" in text
    assert "decided_before: {deposit: all}" in text
    assert list(milestones(escrow, "new.yaml")) == ["foundation", "walls", "handover"]


def test_a_dry_run_signs_and_writes_nothing(escrow: Run, opened: Path, unchanged: Unchanged):
    new = changed(LATER)
    with unchanged():
        result = escrow("amend", "SHED-7", new, "--as", "buyer", "--dry-run", "--json")
    assert result.json["carried"] == "9000000000"
    assert result.json["closes"] == ["foundation", "walls", "handover"]
    assert result.json["difference"][0]["field"] == "due"
    assert sorted(path.name for path in Path().iterdir()) == [
        "new.yaml",
        "shed.signed.json",
        "shed.yaml",
    ]


def test_extend_writes_the_order_and_says_what_next(escrow: Run, opened: Path):
    result = escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    assert result.status == 0
    assert "due: 1 May 2027 -> 15 May 2027" in result.words
    assert "The change order is in walls.change.json. Nothing is signed yet." in result.words
    assert "escrow amend walls.change.json --as buyer" in result.out
    both_sign(escrow, "walls.change.json")
    assert "14 Jun 2027" in milestones(escrow)["walls"]["silence"]


def test_extend_twice_and_the_reference_follows(escrow: Run, opened: Path):
    for day, key in (("2027-05-15", "walls"), ("2027-04-20", "foundation")):
        assert escrow("extend", "SHED-7", key, "--to", day).status == 0
        both_sign(escrow, f"{key}.change.json")
    shown = escrow("status", "SHED-7").words
    assert "It is version 3, after 0x" in shown
    assert "deposit (before) paid 1,000.00 1,000.00" in shown
    assert "Held by the contract 9,000.00 USDC, paid 1,000.00 USDC." in shown
    history = escrow("history", "SHED-7").words
    assert history.count("changed the agreement: 'foundation', 'walls', 'handover'") == 2
    assert history.count("opened a new version") == 2
    assert "9,000.00 USDC of that went on in" in history
    assert len(escrow("history", "SHED-7", "walls", "--json").json["events"]) == 5


def test_signed_by_both_and_sent_by_a_third(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    line = ("amend", "walls.change.json", "--sign-only", "walls.change.json", "--yes")
    assert escrow(*line, "--as", "buyer").status == 0
    with unchanged():
        early = escrow("send", "walls.change.json", "--as", "arbiter", "--yes")
    assert early.status == 1
    assert "Holz & Söhne has not signed walls.change.json" in early.err
    signed = escrow(*line, "--as", "supplier")
    assert "escrow send walls.change.json" in signed.out
    result = escrow("send", "walls.change.json", "--as", "arbiter", "--yes")
    assert result.status == 0
    assert "Signed by Anna Bauer and Holz & Söhne" in result.words


def test_what_is_missing_is_paid_by_the_buyer(escrow: Run, opened: Path, world: World):
    before = balance(world)
    first = escrow("amend", "SHED-7", changed(DEARER), "--as", "buyer", "--yes")
    assert "800.00 USDC more is paid in by whoever sends it" in first.words
    signed = escrow("amend", "SHED-7", "--as", "supplier", "--yes")
    assert "Anna Bauer sends it" in signed.words
    assert balance(world) == before
    sent = escrow("amend", "SHED-7", "--as", "buyer", "--yes")
    assert "paid with a permit for exactly 800.00 USDC" in sent.words
    assert balance(world) == before - 800 * 10**6
    assert milestones(escrow)["walls"]["held"]["text"] == "4,800.00 USDC"
    assert "paid 800.00 USDC more in" in escrow("history", "SHED-7").words


def test_what_is_left_over_goes_back(escrow: Run, opened: Path, world: World):
    before = balance(world)
    escrow("amend", "SHED-7", changed(CHEAPER), "--as", "buyer", "--yes")
    result = escrow("amend", "SHED-7", "--as", "supplier", "--yes")
    assert "Gave 500.00 USDC back to Anna Bauer." in result.words
    assert balance(world) == before + 500 * 10**6


def test_what_is_under_way_stays_and_is_still_found_by_reference(escrow: Run, opened: Path):
    escrow("submit", "SHED-7", "handover", "--yes")
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    both_sign(escrow, "walls.change.json")
    shown = escrow("status", "SHED-7").words
    assert "handover (before) submitted for review 2,000.00" in shown
    assert "escrow dispute SHED-7 handover" in shown
    assert escrow("approve", "SHED-7", "handover", "--yes").status == 0
    assert "handover (before) paid 2,000.00 2,000.00" in escrow("status", "SHED-7").words


def test_a_part_that_was_paid_stays_paid(escrow: Run, opened: Path):
    escrow("approve", "SHED-7", "walls", "--amount", "1,000.00", "--yes")
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    both_sign(escrow, "walls.change.json")
    assert milestones(escrow)["walls"]["held"]["text"] == "3,000.00 USDC"
    shown = escrow("status", "SHED-7").words
    assert "walls (before) moved to the new version 1,000.00 1,000.00" in shown


def test_who_bought_a_milestone_signs_too(escrow: Run, opened: Path, world: World):
    escrow("receivable", "assign", "SHED-7", "walls", "--to", "financier", "--yes")
    result = escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    assert "escrow amend walls.change.json --as financier" in result.out
    for who in ("buyer", "supplier"):
        assert escrow("amend", "walls.change.json", "--as", who, "--yes").status == 0
    assert milestones(escrow)["walls"]["payee"] == DevSigner(7).address
    last = escrow("amend", "walls.change.json", "--as", "financier", "--yes")
    assert last.status == 0
    assert "now means the new version" in last.words


def test_status_tells_who_has_not_signed(escrow: Run, opened: Path):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    escrow("amend", "walls.change.json", "--as", "buyer", "--yes")
    tasks = escrow("status", "--as", "supplier", "--json").json["tasks"]
    assert "escrow amend SHED-7 --as supplier" in [task["command"] for task in tasks]
    assert "A change order waits" in next(t for t in tasks if "amend" in t["command"])["text"]


def test_another_machine_learns_of_the_new_version(
    escrow: Run, opened: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    both_sign(escrow, "walls.change.json")
    monkeypatch.setenv("ESCROW_HOME", str(tmp_path / "verifier"))
    old = escrow("status", "shed.signed.json")
    assert "It was changed: the newest version is 0x" in old.words
    assert "walls moved to the new version" in old.words
    assert escrow("status", "walls.change.json").status == 0
    assert escrow("attest", "SHED-7", "foundation", "--accept", "--yes").status == 0


def test_what_happens_meanwhile_ends_a_change_order(
    escrow: Run, opened: Path, unchanged: Unchanged
):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    escrow("amend", "walls.change.json", "--as", "buyer", "--yes")
    escrow("approve", "SHED-7", "walls", "--amount", "100.00", "--yes")
    with unchanged():
        result = escrow("amend", "walls.change.json", "--as", "supplier", "--yes")
    assert result.status == 1
    assert "100.00 USDC of 'walls' has been paid" in result.err
    assert "write it again with `escrow amend`" in result.err


def test_a_change_order_expires(escrow: Run, opened: Path, world: World):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15", "--valid-for", "2 days")
    escrow("amend", "walls.change.json", "--as", "buyer", "--yes")
    world.travel(world.now + 3 * DAY)
    result = escrow("amend", "walls.change.json", "--as", "supplier", "--yes")
    assert result.status == 1
    assert "counted until 3 Mar 2027" in result.err


WRONG = {
    "nothing changes": (("SHED-7", "same.yaml"), "same.yaml says the same as SHED-7"),
    "no such file": (("SHED-7", "none.yaml"), "none.yaml: cannot be read"),
    "not an agreement": (("SHED-7", "shed.signed.json"), "not an agreement's own file"),
    "no change waits": (("SHED-7",), "no change order of SHED-7 is known here"),
    "no names": ((), "this needs an agreement and its changed file"),
    "an unknown milestone to fund": (("SHED-7", "later.yaml", "--fund", "roof"), "'roof' is not"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused_in_words(escrow: Run, opened: Path, unchanged: Unchanged, case: str):
    Path("same.yaml").write_text(DEAL, "utf-8")
    Path("later.yaml").write_text(LATER, "utf-8")
    line, says = WRONG[case]
    with unchanged():
        result = escrow("amend", *line, "--as", "buyer", "--yes")
    assert result.status in (1, 2)
    assert says in result.err


def test_another_takes_a_sides_place(escrow: Run, opened: Path, world: World):
    """Novation: whoever leaves, stays and comes signs, and the terms say what it means."""
    other = DevSigner(9).address
    Path("buyer.yaml").write_text(LATER.replace(BUYER, other), "utf-8")
    first = escrow("amend", "SHED-7", "buyer.yaml", "--as", "buyer", "--yes")
    assert f"({other}) takes the place of Anna Bauer ({BUYER}) as the buyer" in first.words
    assert first.status == 0, first.err


EXTENSIONS = {
    "no date": (("walls", "--to", "15 May"), "'15 May' is not a date"),
    "an earlier date": (("walls", "--to", "2027-04-15"), "give a later date"),
    "a deposit": (("deposit", "--to", "2027-04-15"), "is a deposit and has no date"),
    "an unknown milestone": (("roof", "--to", "2027-04-15"), "'roof' is not a milestone"),
    "a file that is there": (
        ("walls", "--to", "2027-05-15", "-o", "shed.yaml"),
        "shed.yaml exists already",
    ),
}


@pytest.mark.parametrize("case", EXTENSIONS)
def test_no_extension(escrow: Run, opened: Path, unchanged: Unchanged, case: str):
    line, says = EXTENSIONS[case]
    with unchanged():
        result = escrow("extend", "SHED-7", *line)
    assert result.status in (1, 2)
    assert says in result.err


def test_who_is_no_party_does_not_sign(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    with unchanged():
        result = escrow("amend", "walls.change.json", "--as", "surveyor", "--yes")
    assert result.status == 1
    assert "Vera Grün need not sign this change order; it waits for Anna Bauer and Holz" in (
        result.err
    )
    escrow("amend", "walls.change.json", "--as", "buyer", "--yes")
    with unchanged():
        twice = escrow("amend", "walls.change.json", "--as", "buyer", "--yes")
    assert "Anna Bauer has signed this change order already" in twice.err


def test_a_forged_change_order_is_refused(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    escrow("amend", "walls.change.json", "--as", "buyer", "--yes")
    path = Path("walls.change.json")
    fields = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(fields | {"funds": ["walls"]}), "utf-8")
    with unchanged():
        result = escrow("amend", "walls.change.json", "--as", "supplier", "--yes")
    assert result.status == 2
    assert "the signature is not by" in result.err


def test_a_change_order_is_carried_out_once(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    both_sign(escrow, "walls.change.json")
    with unchanged():
        result = escrow("send", "walls.change.json", "--yes")
    assert result.status == 1
    assert "this change order has been carried out" in result.err


def test_what_comes_after_a_decided_milestone_can_still_be_changed(escrow: Run, signed: Path):
    text = DEAL.replace("SHED-7", "SHED-9").replace(
        "due: 2027-05-01,\n     requires: [", "due: 2027-05-01,\n     requires: [after foundation, "
    )
    assert "after foundation" in text
    Path("nine.yaml").write_text(text, "utf-8")
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", "nine.yaml", "--as", role, "--yes").status == 0
    assert escrow("open", "SHED-9", "--fund", "all", "--yes").status == 0
    assert escrow("approve", "SHED-9", "foundation", "--yes").status == 0
    assert escrow("extend", "SHED-9", "walls", "--to", "2027-05-15").status == 0
    for role in ("buyer", "supplier"):
        result = escrow("amend", "walls.change.json", "--as", role, "--yes")
        assert result.status == 0, result.err


def test_the_newest_version_is_printed_as_a_file_to_change(escrow: Run, opened: Path):
    assert "title: A garden shed" in escrow("agreement", "show", "shed.yaml", "--yaml").out
    escrow("extend", "SHED-7", "walls", "--to", "2027-05-15")
    both_sign(escrow, "walls.change.json")
    text = escrow("agreement", "show", "SHED-7", "--yaml").out
    assert "2027-05-15" in text
    both_sign(escrow, "SHED-7", changed(text.replace("2027-06-01", "2027-06-20")))
    assert "20 Jul 2027" in milestones(escrow)["handover"]["silence"]


@pytest.mark.parametrize("verb", [("agreement", "sign"), ("open",)])
def test_a_new_version_is_no_agreement_of_its_own(
    escrow: Run, opened: Path, unchanged: Unchanged, verb: tuple[str, ...]
):
    escrow("amend", "SHED-7", changed(LATER), "--as", "buyer", "--yes")
    with unchanged():
        result = escrow(*verb, "new.yaml", "--as", "buyer", "--yes")
    assert result.status == 1
    assert "both sides sign that with `escrow amend SHED-7 new.yaml`" in result.err
