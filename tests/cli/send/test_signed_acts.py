"""--sign-only and `escrow send`: what one person signs, another sends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.dispute.test_verbs import paid

DAY = 86_400


@pytest.fixture
def claim(escrow: Run, opened: Path) -> str:
    """The supplier's submission of 'handover', signed and not sent."""
    escrow("submit", "SHED-7", "handover", "--sign-only", "claim.json", "--yes")
    return "claim.json"


def test_signing_sends_nothing_and_says_what_counts(
    escrow: Run, opened: Path, unchanged: Unchanged
):
    with unchanged():
        result = escrow("submit", "SHED-7", "handover", "--sign-only", "claim.json", "--yes")
    assert result.status == 0
    assert "signed by Holz & Söhne; counts until 31 Mar 2027, 10:00 UTC+02:00 (in 30 days)" in (
        result.words
    )
    assert "only if nothing else happens to 'handover' before" in result.words
    assert "its periods begin when it is sent" in result.words
    assert "escrow send claim.json" in result.out


def test_anybody_sends_a_submission(escrow: Run, claim: str):
    result = escrow("send", claim, "--as", "arbiter", "--yes")
    assert result.status == 0
    assert "as Dr. A. Brandt (arbiter)" in result.words
    assert "signed by Holz & Söhne, which counts until 31 Mar 2027" in result.words
    assert paid(escrow, "handover")[0] == "submitted"


def test_a_dispute_travels_with_its_reason(escrow: Run, claim: str):
    escrow("send", claim, "--yes")
    escrow("dispute", "SHED-7", "handover", "--reason", "The door sticks",
           "--sign-only", "no.json", "--yes")  # fmt: skip
    result = escrow("send", "no.json", "--as", "supplier", "--yes")
    assert "objects, “The door sticks”" in result.words
    assert paid(escrow, "handover")[0] == "disputed_before_verdict"
    assert "“The door sticks”" in escrow("history", "SHED-7").words


def test_a_ruling_is_sent_by_whom_it_serves(escrow: Run, opened: Path):
    escrow("submit", "SHED-7", "handover", "--yes")
    escrow("dispute", "SHED-7", "handover", "--reason", "The door sticks", "--yes")
    escrow("rule", "SHED-7", "handover", "--to-supplier", "90%", "--to-buyer", "rest",
           "--reason", "It can be planed", "--sign-only", "ruling.json", "--yes")  # fmt: skip
    result = escrow("send", "ruling.json", "--as", "supplier", "--yes", "--json")
    assert result.json["act"] == "ruling"
    assert (result.json["to_payee"], result.json["to_buyer"]) == ("1800000000", "200000000")
    assert paid(escrow, "handover") == ("settled", "1,800.00 USDC", "200.00 USDC")


@pytest.mark.parametrize(("verb", "ends"), [("approve", "2,000.00"), ("refund", "0.00")])
def test_what_one_side_gives_up_is_sent_by_anybody(escrow: Run, opened: Path, verb: str, ends: str):
    escrow(verb, "SHED-7", "handover", "--sign-only", "given.json", "--yes")
    assert escrow("send", "given.json", "--as", "arbiter", "--yes").status == 0
    assert paid(escrow, "handover")[:2] == ("settled", f"{ends} USDC")


def test_both_sides_sign_a_split_and_a_third_sends_it(escrow: Run, opened: Path):
    line = ("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest", "--yes")
    first = escrow(*line, "--sign-only", "split.json", "--as", "supplier")
    assert "Next, Anna Bauer settles it with" in first.words
    second = escrow(*line, "--sign-only", "split.json", "--as", "buyer")
    assert "escrow send split.json" in second.out
    assert escrow("send", "split.json", "--as", "arbiter", "--yes").status == 0
    assert paid(escrow, "walls") == ("settled", "2,800.00 USDC", "1,200.00 USDC")


def test_a_split_of_one_side_is_not_sent_by_a_third(
    escrow: Run, opened: Path, unchanged: Unchanged
):
    escrow("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest",
           "--sign-only", "split.json", "--as", "supplier", "--yes")  # fmt: skip
    with unchanged():
        result = escrow("send", "split.json", "--as", "arbiter", "--yes")
    assert result.status == 1
    assert "also needs the consent of Anna Bauer" in result.err


def test_nobody_signs_the_same_file_twice(escrow: Run, claim: str):
    result = escrow("submit", "SHED-7", "handover", "--sign-only", claim, "--yes")
    assert result.status == 1
    assert "Holz & Söhne has signed claim.json already" in result.err


def test_a_file_that_says_something_else_is_kept(escrow: Run, claim: str):
    before = Path(claim).read_bytes()
    result = escrow("approve", "SHED-7", "walls", "--sign-only", claim, "--yes")
    assert "claim.json says something else" in result.err
    assert Path(claim).read_bytes() == before


def test_a_stale_signature_is_refused_in_words(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("approve", "SHED-7", "walls", "--sign-only", "paid.json", "--yes")
    escrow("approve", "SHED-7", "walls", "--amount", "100.00", "--yes")
    with unchanged():
        result = escrow("send", "paid.json", "--yes")
    assert result.status == 1
    assert "paid.json was signed before 'walls' last changed" in result.err


def test_an_expired_signature_is_refused_in_words(escrow: Run, opened: Path, world: World):
    escrow("approve", "SHED-7", "walls", "--sign-only", "paid.json", "--valid-for", "2 days",
           "--yes")  # fmt: skip
    world.travel(world.now + 3 * DAY)
    result = escrow("send", "paid.json", "--yes")
    assert result.status == 1
    assert "paid.json counted until 3 Mar 2027" in result.err


def test_what_is_no_longer_possible_is_refused_with_what_is(escrow: Run, claim: str):
    escrow("approve", "SHED-7", "handover", "--yes")
    result = escrow("send", claim, "--yes")
    assert result.status == 1
    assert "'handover' is paid, it cannot be submitted" in result.err


def test_a_dry_run_signs_nothing(escrow: Run, opened: Path):
    result = escrow("submit", "SHED-7", "handover", "--sign-only", "claim.json", "--dry-run")
    assert result.status == 0
    assert not Path("claim.json").exists()


def forge(name: str, change: dict[str, object]) -> None:
    fields = json.loads(Path(name).read_text("utf-8"))
    fields["acts"][0] |= change
    Path(name).write_text(json.dumps(fields), "utf-8")


def test_a_forged_file_is_refused(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("dispute", "SHED-7", "foundation", "--reason", "Look again", "--as", "supplier",
           "--sign-only", "no.json", "--yes")  # fmt: skip
    with unchanged():
        forge("no.json", {"words": {"format": "1", "reason": "Something else"}})
        assert "its words are not what was signed" in escrow("send", "no.json", "--yes").err
        forge("no.json", {"milestone": "walls"})
        assert "its milestone does not exist" in escrow("send", "no.json", "--yes").err
        forge("no.json", {"act": "wish"})
        assert "an act that does not exist" in escrow("send", "no.json", "--yes").err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "nothing in it can be sent"),
        ("[]", "it holds something else"),
        ("not json", "it is not JSON"),
        ('{"format": "1", "agreement": {"id": "0x00"}, "acts": []}', "an agreement not known here"),
        ('{"format": "1", "agreement": 7, "acts": []}', "agreement is not a group of fields"),
    ],
)
def test_what_nobody_signed_is_refused(escrow: Run, opened: Path, text: str, says: str):
    Path("x.json").write_text(text, "utf-8")
    result = escrow("send", "x.json", "--yes")
    assert result.status == 2
    assert says in result.err


def test_a_period_must_be_a_time(escrow: Run, opened: Path):
    result = escrow("approve", "SHED-7", "walls", "--sign-only", "x.json", "--valid-for", "off")
    assert result.status == 2
    assert "write a time, as 30 days or 48 hours" in result.err
