"""`escrow attest`: verdicts, quorums, and signatures that travel as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import DEAL

DAY = 86_400


def milestone(escrow: Run, key: str) -> dict[str, object]:
    shown = escrow("status", "SHED-7", "--json").json
    return next(found for found in shown["milestones"] if found["key"] == key)


@pytest.fixture
def photo(home: Path) -> str:
    path = Path("photos-1.jpeg").resolve()
    path.write_bytes(b"a wall")
    return str(path)


def test_one_judge_is_enough_where_one_was_agreed(escrow: Run, opened: Path, photo: str):
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--evidence", photo, "--yes")
    assert result.status == 0
    assert "evidence photos-1.jpeg" in result.words
    assert "pays 3,000.00 USDC to Holz & Söhne now, final" in result.words
    assert milestone(escrow, "foundation")["status_text"] == "paid"


def test_the_second_judge_completes_the_first_ones_signature(escrow: Run, opened: Path, home: Path):
    first = escrow("attest", "SHED-7", "walls", "--accept", "--as", "surveyor", "--yes")
    assert "1 of 2 needed verifiers signed" in first.words
    assert "escrow attest SHED-7 walls --accept --as carpenter" in first.out
    assert milestone(escrow, "walls")["status"] == "funded"
    assert len(list((home / "attestations").iterdir())) == 1
    second = escrow("attest", "SHED-7", "walls", "--accept", "--yes")
    assert "as Otto Span (carpenter)" in second.words
    assert milestone(escrow, "walls")["status"] == "settled"
    assert not list((home / "attestations").iterdir())


def test_nobody_signs_the_same_twice(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("attest", "SHED-7", "walls", "--accept", "--as", "surveyor", "--yes")
    with unchanged():
        result = escrow("attest", "SHED-7", "walls", "--accept", "--as", "surveyor", "--yes")
    assert result.status == 1
    assert "Vera Grün has signed this already; 1 of 2" in result.err
    assert "waits for Otto Span" in result.err


def test_a_part_is_paid_and_the_rest_waits(escrow: Run, opened: Path):
    result = escrow(
        "attest", "SHED-7", "foundation", "--accept", "--amount", "60%", "--yes", "--json"
    )
    assert result.json["amount"] == {"units": "1800000000", "text": "1,800.00 USDC"}
    found = milestone(escrow, "foundation")
    assert found["status"] == "funded"
    assert found["held"] == {"units": "1200000000", "text": "1,200.00 USDC"}
    escrow("attest", "SHED-7", "foundation", "--accept", "--amount", "3,000.00", "--yes")
    assert milestone(escrow, "foundation")["status_text"] == "paid"


def test_the_suggested_command_repeats_the_part(escrow: Run, opened: Path):
    first = escrow(
        "attest", "SHED-7", "walls", "--accept", "--amount", "30 %", "--as", "surveyor", "--yes"
    )
    line = "escrow attest SHED-7 walls --accept --amount 1,200.00 --as carpenter"
    assert line in first.out
    assert "which says that less was shown than 4,000.00 USDC asks for" in first.words
    assert escrow(*line.split()[1:], "--yes").status == 0
    assert milestone(escrow, "walls")["to_payee"] == {
        "units": "1200000000",
        "text": "1,200.00 USDC",
    }


def test_rejecting_asks_twice(escrow: Run, opened: Path, unchanged: Unchanged):
    line = ("attest", "SHED-7", "foundation", "--reject", "It cracks")
    with unchanged():
        assert escrow(*line, answers="y\nn\n").status == 130
    result = escrow(*line, answers="y\ny\n")
    assert result.status == 0
    assert "unless Holz & Söhne disputes it, gives 3,000.00 USDC back" in result.words
    assert milestone(escrow, "foundation")["status"] == "refund_pending"


def test_a_return_for_rework_is_signed_and_never_sent(escrow: Run, opened: Path, world: World):
    before = world.chain.head.number
    result = escrow("attest", "SHED-7", "foundation", "--return", "Too short", "--yes", "--json")
    assert result.status == 0
    assert result.json["sent"] is False
    assert (
        json.loads(Path(result.json["file"]).read_text("utf-8"))["words"]["reason"] == "Too short"
    )
    assert world.chain.head.number == before
    assert escrow("attest", "SHED-7", "foundation", "--accept", "--yes").status == 0


def test_a_return_is_shown_in_the_status(escrow: Run, opened: Path):
    escrow("attest", "SHED-7", "foundation", "--return", "Too short", "--yes")
    words = escrow("status", "SHED-7").words
    assert "Vera Grün returned 'foundation' for rework on 1 Mar 2027" in words
    assert "“Too short”" in words


def test_a_quorum_rejects_for_one_reason(escrow: Run, opened: Path, unchanged: Unchanged):
    line = ("attest", "SHED-7", "walls", "--reject")
    first = escrow(*line, "It leans", "--as", "surveyor", "--yes")
    assert "escrow attest SHED-7 walls --reject 'It leans' --as carpenter" in first.out
    with unchanged():
        other = escrow(*line, "It is blue", "--as", "carpenter", "--yes")
    assert other.status == 1
    assert "another reason: rejected, “It leans”" in other.err
    assert escrow(*line, "It leans", "--as", "carpenter", "--yes").status == 0
    assert milestone(escrow, "walls")["status"] == "refund_pending"


def test_says_when_verifiers_disagree(escrow: Run, opened: Path):
    line = ("attest", "SHED-7", "walls")
    escrow(*line, "--reject", "It leans", "--as", "surveyor", "--yes")
    result = escrow(*line, "--accept", "--as", "carpenter", "--yes")
    assert "Vera Grün signed otherwise: rejected, “It leans”" in result.words
    assert "Vera Grün signed otherwise; to agree with this: escrow attest" in result.words
    assert "Vera Grün signs too" not in result.words
    assert milestone(escrow, "walls")["status"] == "funded"


def test_the_second_judge_does_not_sign_other_evidence(
    escrow: Run, opened: Path, photo: str, unchanged: Unchanged
):
    escrow("attest", "SHED-7", "walls", "--accept", "--as", "surveyor", "--yes")
    with unchanged():
        result = escrow(
            "attest",
            "SHED-7",
            "walls",
            "--accept",
            "--evidence",
            photo,
            "--as",
            "carpenter",
            "--yes",
        )
    assert result.status == 1
    assert "is about other evidence" in result.err


def test_signs_offline_and_somebody_else_sends(escrow: Run, opened: Path, world: World):
    before = world.chain.head.number
    offline = ("attest", "SHED-7", "walls", "--accept", "--yes", "--sign-only")
    assert escrow(*offline, "walls.json", "--as", "surveyor").status == 0
    continued = escrow(*offline, "walls.json", "--as", "carpenter")
    assert "escrow attest --submit walls.json" in continued.out
    assert world.chain.head.number == before
    assert escrow("attest", "--submit", "walls.json", "--as", "supplier", "--yes").status == 0
    assert milestone(escrow, "walls")["status"] == "settled"


def test_offline_needs_no_node(
    escrow: Run, opened: Path, world: World, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise AssertionError("a node was asked")

    monkeypatch.setattr(type(world.chain), "request", refuse)
    monkeypatch.setattr("milestone_escrow.cli.shell.session.running_sandbox", lambda home: None)
    line = ("attest", str(opened), "foundation", "--accept", "--yes", "--sign-only", "f.json")
    assert escrow(*line).status == 0


def test_merges_files_until_the_quorum_is_complete(escrow: Run, opened: Path):
    escrow("attest", "SHED-7", "walls", "--accept", "--yes", "--sign-only", "a.json",
           "--as", "surveyor")  # fmt: skip
    alone = json.loads(Path("a.json").read_text("utf-8"))
    escrow("attest", "SHED-7", "walls", "--accept", "--yes", "--sign-only", "a.json",
           "--as", "carpenter")  # fmt: skip
    both = json.loads(Path("a.json").read_text("utf-8"))
    (new,) = set(both["signatures"]) - set(alone["signatures"])
    other = {**both, "signatures": {new: both["signatures"][new]}}
    Path("a.json").write_text(json.dumps(alone), encoding="utf-8")
    Path("b.json").write_text(json.dumps(other), encoding="utf-8")
    few = escrow("attest", "--submit", "b.json", "--yes")
    assert few.status == 1
    assert "1 of 2 needed verifiers signed, which is not enough" in few.err
    assert escrow("attest", "--submit", "b.json", "a.json", "--yes").status == 0
    assert milestone(escrow, "walls")["status"] == "settled"


def test_an_objection_period_delays_the_payment(
    escrow: Run, deal: Path, world: World, monkeypatch: pytest.MonkeyPatch
):
    deal.write_text(DEAL.replace("objection_period: off", "objection_period: 2 days"), "utf-8")
    for role in ("buyer", "supplier"):
        escrow("agreement", "sign", str(deal), "--as", role, "--yes")
    escrow("open", "SHED-7", "--fund", "foundation", "--yes")
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--yes")
    assert "unless Anna Bauer disputes it, pays 3,000.00 USDC to Holz & Söhne on" in result.words
    assert "(in 2 days)" in result.words
    assert milestone(escrow, "foundation")["status"] == "release_pending"


REFUSED = {
    "no verdict": ([], 2, "needs one verdict"),
    "two verdicts": (["--accept", "--reject", "no"], 2, "needs one verdict"),
    "an amount to a rejection": (["--reject", "no", "--amount", "5%"], 2, "belongs to --accept"),
    "an empty reason": (["--reject", " "], 2, "the reason is empty"),
    "nothing": (["--accept", "--amount", "0%"], 2, "give more than nothing"),
    "too many decimals": (["--accept", "--amount", "1.0000001"], 2, "at most 6 digits"),
    "more than there is": (["--accept", "--amount", "3,000.01"], 2, "at most 3,000.00 USDC"),
    "another token": (["--accept", "--amount", "5 EUR"], 2, "the agreement pays in USDC"),
    "no such file": (["--accept", "--evidence", "nowhere.pdf"], 2, "cannot be read"),
    "a stranger": (["--accept", "--as", "carpenter"], 1, "only Vera Grün attests it"),
    "the supplier": (["--accept", "--as", "supplier"], 1, "and Holz & Söhne is asking"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(escrow: Run, opened: Path, unchanged: Unchanged, case: str):
    options, status, sentence = REFUSED[case]
    with unchanged():
        result = escrow("attest", "SHED-7", "foundation", *options, "--yes")
    assert (result.status, result.out) == (status, "")
    assert sentence in result.err
    assert result.err.count("\n") == 1


def test_refuses_a_milestone_without_verifiers(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("attest", "SHED-7", "handover", "--accept", "--yes")
    assert result.status == 1
    assert "the agreement names no verifier for it" in result.err


def _forge(change: dict[str, object]) -> None:
    fields = json.loads(Path("f.json").read_text("utf-8"))
    for name, value in change.items():
        fields[name] = value
    Path("f.json").write_text(json.dumps(fields), encoding="utf-8")


@pytest.fixture
def offline(escrow: Run, opened: Path) -> str:
    line = ("attest", "SHED-7", "foundation", "--accept", "--yes", "--valid-for", "2 days")
    assert escrow(*line, "--sign-only", "f.json").status == 0
    return "f.json"


def test_refuses_a_strangers_signature(escrow: Run, offline: str, unchanged: Unchanged):
    signature = next(iter(json.loads(Path(offline).read_text("utf-8"))["signatures"].values()))
    carpenter = Agreement.loads(DEAL).people["carpenter"]
    _forge({"signatures": {carpenter: signature}})
    with unchanged():
        result = escrow("attest", "--submit", offline, "--yes")
    assert result.status == 2
    assert "carpenter (Otto Span) is not a verifier of 'foundation'" in result.err


def test_refuses_a_signature_by_somebody_else(escrow: Run, offline: str, unchanged: Unchanged):
    surveyor = Agreement.loads(DEAL).people["surveyor"]
    _forge({"signatures": {surveyor: "0x" + "11" * 65}})
    with unchanged():
        result = escrow("attest", "--submit", offline, "--yes")
    assert result.status == 2
    assert "is not by 0x6813Eb" in result.err


@pytest.mark.parametrize(
    "change",
    [
        {"milestone": "walls"},
        {"words": {"format": "1", "files": [], "reason": "fine"}},
        {"format": "2"},
        {"attestation": {}},
        {"signatures": []},
    ],
)
def test_refuses_a_forged_file(
    escrow: Run, offline: str, unchanged: Unchanged, change: dict[str, object]
):
    _forge(change)
    with unchanged():
        result = escrow("attest", "--submit", offline, "--yes")
    assert result.status == 2
    assert "is not an attestation file" in result.err
    assert result.err.count("\n") == 1


def test_refuses_an_expired_attestation(
    escrow: Run, offline: str, world: World, unchanged: Unchanged
):
    world.travel(world.now + 3 * DAY)
    with unchanged():
        result = escrow("attest", "--submit", offline, "--yes")
    assert result.status == 1
    assert "was valid until 3 Mar 2027" in result.err
    assert "sign again" in result.err


def test_an_expired_signature_is_forgotten_and_signed_anew(
    escrow: Run, opened: Path, world: World, home: Path
):
    line = ("attest", "SHED-7", "walls", "--accept", "--yes", "--valid-for", "2 days")
    escrow(*line, "--as", "surveyor")
    world.travel(world.now + 3 * DAY)
    result = escrow(*line, "--as", "surveyor")
    assert result.status == 0
    assert "1 of 2" in result.words
    assert len(list((home / "attestations").iterdir())) == 1


def test_refuses_after_the_deadline(escrow: Run, opened: Path, world: World, unchanged: Unchanged):
    world.travel(world.now + 70 * DAY)
    with unchanged():
        result = escrow("attest", "SHED-7", "foundation", "--accept", "--yes")
    assert result.status == 1
    assert "could be attested until 1 May 2027, 23:59 UTC+02:00" in result.err
    assert "anyone can `finalize`" in result.err
