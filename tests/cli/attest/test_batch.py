"""`escrow attest --batch`: many verdicts, one signature of each verifier, one transaction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import DEAL

HEAD = "agreement,milestone,verdict,amount,reason,evidence\n"


@pytest.fixture
def second(escrow: Run, opened: Path) -> str:
    """Another shed of the same people, open and funded."""
    Path("shed8.yaml").write_text(DEAL.replace("SHED-7", "SHED-8"), "utf-8")
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", "shed8.yaml", "--as", role, "--yes").status == 0
    assert escrow("open", "SHED-8", "--fund", "all", "--yes").status == 0
    return "SHED-8"


@pytest.fixture
def both(second: str) -> str:
    """A list of two verdicts about the two foundations."""
    Path("list.csv").write_text(
        f"{HEAD}SHED-7,foundation,accepted,,,\nSHED-8,foundation,accepted,60%,,\n", "utf-8"
    )
    return "list.csv"


def listed(text: str) -> str:
    Path("list.yaml").write_text("verdicts:\n" + text, "utf-8")
    return "list.yaml"


def standing(escrow: Run, reference: str, key: str) -> tuple[str, str]:
    milestones = escrow("status", reference, "--json").json["milestones"]
    found = next(found for found in milestones if found["key"] == key)
    return found["status"], found["to_payee"]["text"]


def test_two_agreements_are_decided_in_one_transaction(escrow: Run, both: str, world: World):
    before = world.chain.head.number
    result = escrow("attest", "--batch", both, "--yes")
    assert result.status == 0
    for text in (
        "attest 2 milestones of SHED-7, SHED-8 on Sandbox as Vera Grün (surveyor)",
        "SHED-8 'foundation': accepted, 1,800.00 USDC of 3,000.00 USDC; no evidence files",
        "pays 1,800.00 USDC to Holz & Söhne now, final",
        "decided SHED-7 'foundation' paid",
    ):
        assert text in result.words
    assert world.chain.head.number == before + 1
    assert standing(escrow, "SHED-7", "foundation") == ("settled", "3,000.00 USDC")
    assert standing(escrow, "SHED-8", "foundation") == ("funded", "1,800.00 USDC")


def test_what_can_no_longer_be_decided_is_skipped_and_told(escrow: Run, both: str):
    escrow("approve", "SHED-7", "foundation", "--yes")
    result = escrow("attest", "--batch", both, "--yes")
    assert result.status == 0
    assert "SHED-7 'foundation': will be skipped, no verdict can change it any more" in result.words
    assert "skipped SHED-7 'foundation' no verdict can change it any more" in result.words
    assert "decided SHED-8 'foundation'" in result.words
    assert "skipped a verdict on 'foundation'" in escrow("history", "SHED-7").words


def test_as_json_says_what_became_of_each(escrow: Run, both: str):
    escrow("approve", "SHED-7", "foundation", "--yes")
    found = escrow("attest", "--batch", both, "--yes", "--json").json
    assert found["reference"] == ["SHED-7", "SHED-8"] or found["reference"] == ["SHED-8", "SHED-7"]
    skipped = {item["reference"]: item["skipped"] for item in found["items"]}
    assert skipped == {"SHED-7": "WrongStatus", "SHED-8": None}
    assert found["sent"] is True
    assert len(found["transactions"]) == 1


def test_nothing_is_sent_where_all_would_be_skipped(escrow: Run, both: str, unchanged: Unchanged):
    for reference in ("SHED-7", "SHED-8"):
        escrow("refund", reference, "foundation", "--yes")
    with unchanged():
        result = escrow("attest", "--batch", both, "--yes")
    assert result.status == 1
    assert "none of these 2 verdicts can take effect any more" in result.err


def test_a_quorum_signs_one_after_the_other(escrow: Run, second: str, home: Path):
    names = listed(
        "  - {agreement: SHED-7, milestone: walls, verdict: accepted}\n"
        "  - {agreement: SHED-8, milestone: walls, verdict: accepted}\n"
    )
    first = escrow("attest", "--batch", names, "--as", "surveyor", "--yes")
    assert "1 of 2 needed verifiers signed" in first.words
    assert "escrow attest --batch list.yaml --as carpenter" in first.out
    assert standing(escrow, "SHED-7", "walls")[0] == "funded"
    twice = escrow("attest", "--batch", names, "--as", "surveyor", "--yes")
    assert "Vera Grün has signed these verdicts already" in twice.err
    assert escrow("attest", "--batch", names, "--yes").status == 0
    assert standing(escrow, "SHED-8", "walls") == ("settled", "4,000.00 USDC")
    assert not list((home / "attestations").iterdir())


def test_signed_to_a_file_continued_and_sent_by_another(
    escrow: Run, second: str, unchanged: Unchanged
):
    names = listed(
        "  - {agreement: SHED-7, milestone: walls, verdict: accepted, amount: '1,000.00'}\n"
        "  - {agreement: SHED-8, milestone: walls, verdict: rejected, reason: They lean}\n"
    )
    with unchanged():
        first = escrow("attest", "--batch", names, "--sign-only", "batch.json", "--as", "surveyor",
                       "--yes")  # fmt: skip
        assert "1 of 2 needed verifiers signed" in first.words
        early = escrow("send", "batch.json", "--yes")
        assert early.status == 1
        assert "it waits for Otto Span" in early.err
        second_ = escrow("attest", "--batch", names, "--sign-only", "batch.json", "--as",
                         "carpenter", "--yes")  # fmt: skip
    assert "escrow send batch.json" in second_.out
    assert escrow("send", "batch.json", "--as", "arbiter", "--yes").status == 0
    assert standing(escrow, "SHED-7", "walls") == ("funded", "1,000.00 USDC")
    assert standing(escrow, "SHED-8", "walls")[0] == "refund_pending"


def test_attest_submit_takes_a_batch_too(escrow: Run, both: str):
    escrow("attest", "--batch", both, "--sign-only", "batch.json", "--yes")
    assert escrow("attest", "--submit", "batch.json", "--yes").status == 0
    assert standing(escrow, "SHED-7", "foundation")[0] == "settled"


def test_evidence_lies_beside_the_list(escrow: Run, second: str):
    folder = Path("inspection")
    folder.mkdir()
    (folder / "photos-1.jpeg").write_bytes(b"a floor")
    (folder / "list.csv").write_text(
        f"{HEAD}SHED-7,foundation,accepted,,,photos-1.jpeg\nSHED-8,foundation,accepted,,,\n"
    )
    result = escrow("attest", "--batch", "inspection/list.csv", "--yes")
    assert "evidence photos-1.jpeg" in result.words
    assert "evidence photos-1.jpeg" in escrow("history", "SHED-7", "foundation").words


def test_json_is_read_like_yaml(escrow: Run, second: str):
    body = {
        "verdicts": [
            {"agreement": "SHED-7", "milestone": "foundation", "verdict": "accepted"},
            {"agreement": "SHED-8", "milestone": "foundation", "verdict": "accepted"},
        ]
    }
    Path("list.json").write_text(json.dumps(body), "utf-8")
    assert escrow("attest", "--batch", "list.json", "--yes").status == 0


def test_rejections_ask_once_more(escrow: Run, second: str, unchanged: Unchanged):
    names = listed(
        "  - {agreement: SHED-7, milestone: foundation, verdict: rejected, reason: It cracks}\n"
    )
    with unchanged():
        assert escrow("attest", "--batch", names, answers="y\nn\n").status == 130
    assert escrow("attest", "--batch", names, answers="y\ny\n").status == 0
    assert standing(escrow, "SHED-7", "foundation")[0] == "refund_pending"


def test_a_dry_run_sends_nothing(escrow: Run, both: str, unchanged: Unchanged):
    with unchanged():
        result = escrow("attest", "--batch", both, "--dry-run")
    assert "this was a dry run" in result.words


WRONG = {
    "verdicts: []\n": ("list.yaml", "has no verdicts"),
    "other: 1\n": ("list.yaml", "has no verdicts"),
    "verdicts: [{}]\n": ("list.yaml:1", "has no agreement; add `agreement: …`"),
    "verdicts: [x]\n": ("list.yaml:1", "is not a verdict"),
    "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: good}\n": (
        "list.yaml:2",
        "is 'good'; write accepted or rejected",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: returned, reason: x}\n": (
        "list.yaml:2",
        "use `escrow attest --return` for it",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: rejected}\n": (
        "list.yaml:2",
        "rejects without a reason",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: wall, verdict: accepted}\n": (
        "list.yaml:2",
        "did you mean 'walls'?",
    ),
    "verdicts:\n  - {agreement: SHED-9, milestone: walls, verdict: accepted}\n": (
        "list.yaml:2",
        "there is no agreement 'SHED-9' here",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: handover, verdict: accepted}\n": (
        "list.yaml:2",
        "is 'handover', which nobody verifies",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: accepted, amount: 140%}\n": (
        "list.yaml:2: verdicts.0.amount",
        "'140%' is",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: accepted, amonut: 1}\n": (
        "list.yaml:2",
        "did you mean 'amount'?",
    ),
    "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: accepted, evidence: no.pdf}\n": (
        "list.yaml:2",
        "no.pdf",
    ),
    "verdicts:\n"
    "  - {agreement: SHED-7, milestone: walls, verdict: accepted}\n"
    "  - {agreement: SHED-7, milestone: walls, verdict: accepted}\n": (
        "list.yaml:3",
        "again, first on line 2",
    ),
    "verdicts:\n"
    "  - {agreement: SHED-7, milestone: walls, verdict: accepted}\n"
    "  - {agreement: SHED-7, milestone: foundation, verdict: accepted}\n": (
        "list.yaml:1",
        "need 2 signatures, because their verifiers differ: lines",
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_list_is_refused_with_line_and_fix(
    escrow: Run, opened: Path, unchanged: Unchanged, text: str
):
    where, says = WRONG[text]
    Path("list.yaml").write_text(text, "utf-8")
    with unchanged():
        result = escrow("attest", "--batch", "list.yaml", "--as", "surveyor", "--yes")
    assert result.status == 2
    assert where in result.err
    assert says in result.err


CSV = {
    "agreement,milestone\nSHED-7,walls\n": "has no column verdict",
    f"{HEAD}SHED-7,walls,accepted,12,000.00,,,\n": "list.csv:2: has more values than columns",
    f"{HEAD}SHED-7,walls,maybe,,,\n": "list.csv:2: verdicts.0.verdict: is 'maybe'",
    HEAD: "has no verdicts",
}


@pytest.mark.parametrize("text", CSV)
def test_a_wrong_table_is_refused_with_line_and_fix(escrow: Run, opened: Path, text: str):
    Path("list.csv").write_text(text, "utf-8")
    result = escrow("attest", "--batch", "list.csv", "--as", "surveyor", "--yes")
    assert result.status == 2
    assert CSV[text] in result.err


def test_a_list_that_is_not_there(escrow: Run, opened: Path):
    for name in ("no.csv", "no.yaml"):
        result = escrow("attest", "--batch", name, "--yes")
        assert result.status == 2
        assert "cannot be read" in result.err


def test_who_does_not_verify_all_of_it_signs_nothing(escrow: Run, both: str, unchanged: Unchanged):
    with unchanged():
        result = escrow("attest", "--batch", both, "--as", "carpenter", "--yes")
    assert result.status == 1
    assert "Otto Span does not verify all of these milestones; Vera Grün can sign" in result.err


def test_a_list_and_a_verdict_do_not_go_together(escrow: Run, both: str):
    result = escrow("attest", "SHED-7", "walls", "--accept", "--batch", both)
    assert result.status == 2
    assert "--batch has its verdicts in the list" in result.err
