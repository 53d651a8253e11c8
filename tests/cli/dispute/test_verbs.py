"""submit, dispute, rule, approve, refund, settle, finalize, withdraw."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.chain.contract.tokens import denylist_call
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged

DAY = 86_400


def paid(escrow: Run, key: str) -> tuple[str, str, str]:
    """Status, and what went to the payee and back to the buyer."""
    shown = escrow("status", "SHED-7", "--json").json
    found = next(found for found in shown["milestones"] if found["key"] == key)
    return found["status"], found["to_payee"]["text"], found["to_buyer"]["text"]


def test_submit_starts_the_review(escrow: Run, opened: Path):
    result = escrow("submit", "SHED-7", "handover", "--evidence", str(opened), "--yes")
    assert result.status == 0
    assert "if Anna Bauer does not object, pays 2,000.00 USDC to Holz & Söhne" in result.words
    assert paid(escrow, "handover")[0] == "submitted"


def test_dispute_and_ruling(escrow: Run, opened: Path):
    escrow("submit", "SHED-7", "handover", "--yes")
    dispute = escrow("dispute", "SHED-7", "handover", "--reason", "The door sticks", "--yes")
    assert "Dr. A. Brandt has until" in dispute.words
    assert "otherwise pays 1,000.00 USDC to Holz & Söhne and gives 1,000.00" in dispute.words
    rule = escrow("rule", "SHED-7", "handover", "--to-supplier", "90%", "--to-buyer", "rest",
                  "--reason", "It can be planed", "--yes")  # fmt: skip
    assert rule.status == 0
    assert paid(escrow, "handover") == ("settled", "1,800.00 USDC", "200.00 USDC")


def test_a_ruling_leaves_no_rest(escrow: Run, opened: Path):
    escrow("submit", "SHED-7", "handover", "--yes")
    escrow("dispute", "SHED-7", "handover", "--reason", "The door sticks", "--yes")
    result = escrow(
        "rule", "SHED-7", "handover", "--to-supplier", "500.00", "--reason", "x", "--yes"
    )
    assert result.status == 1
    assert "it must be all that is held: 2,000.00 USDC" in result.err
    assert paid(escrow, "handover") == ("disputed_before_verdict", "0.00 USDC", "0.00 USDC")


def test_the_payee_may_dispute_a_rejection(escrow: Run, opened: Path):
    escrow("attest", "SHED-7", "foundation", "--reject", "It cracks", "--yes")
    result = escrow("dispute", "SHED-7", "foundation", "--reason", "It does not", "--yes")
    assert "as Holz & Söhne (supplier)" in result.words
    assert "otherwise gives 3,000.00 USDC back to Anna Bauer" in result.words
    assert paid(escrow, "foundation")[0] == "disputed_over_verdict"


def test_approve_pays_all_or_a_part(escrow: Run, opened: Path):
    part = escrow("approve", "SHED-7", "handover", "--amount", "25%", "--yes")
    assert "pays 500.00 USDC to Holz & Söhne now, final" in part.words
    assert "1,500.00 USDC stays in the contract and waits as before" in part.words
    assert escrow("approve", "SHED-7", "handover", "--yes").status == 0
    assert paid(escrow, "handover") == ("settled", "2,000.00 USDC", "0.00 USDC")


def test_refund_gives_back_all_or_a_part(escrow: Run, opened: Path):
    escrow("refund", "SHED-7", "walls", "--amount", "1,000.00", "--yes")
    result = escrow("refund", "SHED-7", "walls", "--yes")
    assert "gives 3,000.00 USDC back to Anna Bauer now, final" in result.words
    assert paid(escrow, "walls") == ("settled", "0.00 USDC", "4,000.00 USDC")


def test_settle_with_both_keys_at_hand(escrow: Run, opened: Path):
    result = escrow("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest",
                    "--as", "buyer", "--with", "supplier", "--yes")  # fmt: skip
    assert result.status == 0
    assert paid(escrow, "walls") == ("settled", "2,800.00 USDC", "1,200.00 USDC")


def test_settle_through_a_file(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        written = escrow("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest",
                         "--sign-only", "consent.json", "--as", "supplier", "--yes")  # fmt: skip
    assert "escrow settle SHED-7 walls --with consent.json" in written.out
    result = escrow("settle", "SHED-7", "walls", "--with", "consent.json", "--yes")
    assert "as Anna Bauer (buyer)" in result.words
    assert paid(escrow, "walls") == ("settled", "2,800.00 USDC", "1,200.00 USDC")


def test_settle_needs_the_other_side(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest",
                        "--as", "buyer", "--yes")  # fmt: skip
    assert result.status == 1
    assert "also needs the consent of Holz & Söhne" in result.err


def test_settle_takes_no_consent_to_another_split(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest",
           "--sign-only", "consent.json", "--as", "supplier", "--yes")  # fmt: skip
    with unchanged():
        result = escrow("settle", "SHED-7", "walls", "--to-supplier", "10%", "--to-buyer", "rest",
                        "--with", "consent.json", "--yes")  # fmt: skip
    assert result.status == 2
    assert "pays 2,800.00 USDC to Holz & Söhne and gives 1,200.00 USDC back" in result.err


def test_settle_takes_no_consent_that_is_out_of_date(
    escrow: Run, opened: Path, unchanged: Unchanged
):
    escrow("settle", "SHED-7", "walls", "--to-supplier", "70%", "--to-buyer", "rest",
           "--sign-only", "consent.json", "--as", "supplier", "--yes")  # fmt: skip
    escrow("approve", "SHED-7", "walls", "--amount", "100.00", "--yes")
    with unchanged():
        result = escrow("settle", "SHED-7", "walls", "--with", "consent.json", "--yes")
    assert result.status == 1
    assert "was signed before 'walls' last changed" in result.err


def test_time_refunds_what_nobody_proved(escrow: Run, opened: Path, world: World):
    world.travel(world.now + 70 * DAY)
    result = escrow("finalize", "SHED-7", "--yes")
    assert "'foundation': time is up, gives 3,000.00 USDC back to Anna Bauer now" in result.words
    assert paid(escrow, "foundation") == ("settled", "0.00 USDC", "3,000.00 USDC")


def test_time_decides_several_at_once_when_told_to(escrow: Run, opened: Path, world: World):
    world.travel(world.now + 200 * DAY)
    result = escrow("finalize", "SHED-7", "--yes")
    assert result.status == 2
    assert "3 milestones have fallen due: foundation, walls, handover" in result.err
    result = escrow("finalize", "SHED-7", "--all", "--yes", "--json")
    assert len(result.json["transactions"]) == 1
    assert {m["status_text"] for m in result.json["milestones"]} == {"given back"}


def test_finalize_says_what_falls_due_next(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("finalize", "SHED-7", "--yes")
    assert result.status == 1
    assert "'foundation', which on 1 May 2027, 23:59 UTC+02:00 gives 3,000.00" in result.err


def test_withdraw_collects_what_could_not_be_delivered(escrow: Run, opened: Path, world: World):
    token = world.escrow.token("USDC")
    place = bytes.fromhex(token.address[2:])
    supplier = Agreement.load(opened).people["supplier"]
    world.chain.send_from(20, place, denylist_call(supplier, True))
    result = escrow("approve", "SHED-7", "walls", "--yes")
    assert "4,000.00 USDC did not arrive at Holz & Söhne" in result.words
    world.chain.send_from(20, place, denylist_call(supplier, False))
    before = world.balance(token, supplier)
    assert escrow("withdraw", "SHED-7", "--yes").status == 0
    assert world.balance(token, supplier) == before + 4_000 * 10**6


def test_withdraw_says_that_nothing_waits(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("withdraw", "SHED-7", "--yes")
    assert result.status == 1
    assert "nothing waits for anybody" in result.err


REASON = ("--reason", "x")
WRONG = {
    "the buyer submits": (("submit", "handover", "--as", "buyer"), "only the payee (Holz & Söhne)"),
    "the supplier approves": (
        ("approve", "walls", "--as", "supplier"),
        "only the buyer (Anna Bauer) approves it, and Holz & Söhne is asking",
    ),
    "the buyer refunds": (
        ("refund", "walls", "--as", "buyer"),
        "only the payee (Holz & Söhne) gives money back",
    ),
    "the buyer disputes work to be proven": (
        ("dispute", "walls", *REASON, "--as", "buyer"),
        "only the payee (Holz & Söhne) may dispute it now",
    ),
    "nothing to rule on": (
        ("rule", "walls", "--to-supplier", "all", *REASON),
        "'walls' is waiting for proof, it cannot be ruled on",
    ),
    "too early": (
        ("finalize", "walls"),
        "from 31 May 2027, 23:59 UTC+02:00 anyone can `finalize`",
    ),
    "settled": (("refund", "deposit"), "'deposit' is paid, it cannot be given back"),
    "both take the rest": (
        ("settle", "walls", "--to-supplier", "rest", "--to-buyer", "rest"),
        "both sides take the rest",
    ),
    "more than is held": (
        ("settle", "walls", "--to-supplier", "70%", "--to-buyer", "70%"),
        "the split adds up to 5,600.00 USDC; 4,000.00 USDC is held for 'walls'",
    ),
    "no split": (("settle", "walls"), "the split is missing"),
    "an empty reason": (("dispute", "walls", "--reason", " "), "the reason is empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_explains_the_right_verb(escrow: Run, opened: Path, unchanged: Unchanged, case: str):
    (verb, key, *options), sentence = WRONG[case]
    with unchanged():
        result = escrow(verb, "SHED-7", key, *options, "--yes")
    assert result.status in (1, 2)
    assert result.out == ""
    assert sentence in result.err
    assert result.err.count("\n") == 1


def test_only_all_of_it_can_be_approved_in_a_dispute(
    escrow: Run, opened: Path, unchanged: Unchanged
):
    escrow("dispute", "SHED-7", "walls", "--reason", "They stand", "--yes")
    with unchanged():
        result = escrow("approve", "SHED-7", "walls", "--amount", "10%", "--yes")
    assert result.status == 1
    assert "it must be all that is held: 4,000.00 USDC" in result.err
