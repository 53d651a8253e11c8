"""--all: a deal that is ended, every milestone at once, in one transaction."""

from __future__ import annotations

from pathlib import Path

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.dispute.test_verbs import paid

KEYS = ("foundation", "walls", "handover")
DAY = 86_400


def test_settle_all_splits_what_is_held_in_one_transaction(escrow: Run, opened: Path, world: World):
    before = world.chain.head.number
    result = escrow("settle", "SHED-7", "--all", "--to-supplier", "20%", "--to-buyer", "rest",
                    "--as", "buyer", "--with", "supplier", "--yes")  # fmt: skip
    assert result.status == 0
    assert "in all 1,800.00 USDC paid and 7,200.00 USDC given back" in result.words
    assert world.chain.head.number == before + 1
    assert paid(escrow, "foundation") == ("settled", "600.00 USDC", "2,400.00 USDC")
    assert paid(escrow, "walls") == ("settled", "800.00 USDC", "3,200.00 USDC")
    assert paid(escrow, "handover") == ("settled", "400.00 USDC", "1,600.00 USDC")


def test_settle_all_through_a_file(escrow: Run, opened: Path):
    escrow("approve", "SHED-7", "walls", "--yes")
    written = escrow("settle", "SHED-7", "--all", "--to-supplier", "20%", "--to-buyer", "rest",
                     "--sign-only", "end.json", "--as", "supplier", "--yes")  # fmt: skip
    assert "escrow settle SHED-7 --all --with end.json" in written.out
    result = escrow("settle", "SHED-7", "--all", "--with", "end.json", "--yes")
    assert "as Anna Bauer (buyer)" in result.words
    assert paid(escrow, "handover") == ("settled", "400.00 USDC", "1,600.00 USDC")


def test_settle_all_asks_for_consent_to_each(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("settle", "SHED-7", "walls", "--to-supplier", "20%", "--to-buyer", "rest",
           "--sign-only", "one.json", "--as", "supplier", "--yes")  # fmt: skip
    with unchanged():
        result = escrow("settle", "SHED-7", "--all", "--with", "one.json", "--yes")
    assert result.status == 2
    assert "one.json settles 'walls', not 'foundation'" in result.err


def test_refund_all_and_approve_all(escrow: Run, opened: Path, world: World):
    part = escrow("refund", "SHED-7", "foundation", "--amount", "1,000.00", "--yes")
    assert part.status == 0
    before = world.chain.head.number
    result = escrow("approve", "SHED-7", "--all", "--yes", "--json")
    assert len(result.json["transactions"]) == 1
    assert [act["to_payee"] for act in result.json["acts"]] == [
        "2000000000",
        "4000000000",
        "2000000000",
    ]
    assert world.chain.head.number == before + 1
    assert {paid(escrow, key)[0] for key in KEYS} == {"settled"}


def test_refund_all_gives_everything_back(escrow: Run, opened: Path):
    result = escrow("refund", "SHED-7", "--all", "--yes")
    assert "in all 9,000.00 USDC given back" in result.words
    assert {paid(escrow, key)[1] for key in KEYS} == {"0.00 USDC"}


def test_refund_all_signed_and_sent_by_another(escrow: Run, opened: Path):
    escrow("refund", "SHED-7", "--all", "--sign-only", "back.json", "--yes")
    assert escrow("send", "back.json", "--as", "arbiter", "--yes").status == 0
    assert {paid(escrow, key)[0] for key in KEYS} == {"settled"}


def test_finalize_all_is_one_transaction(escrow: Run, opened: Path, world: World):
    world.travel(world.now + 200 * DAY)
    before = world.chain.head.number
    assert escrow("finalize", "SHED-7", "--all", "--yes").status == 0
    assert world.chain.head.number == before + 1


def test_only_the_party_itself(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("refund", "SHED-7", "--all", "--as", "buyer", "--yes")
    assert result.status == 1
    assert "only the payee (Holz & Söhne) gives money back" in result.err


def test_a_milestone_or_all(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        both = escrow("approve", "SHED-7", "walls", "--all", "--yes")
        neither = escrow("approve", "SHED-7", "--yes")
        part = escrow("approve", "SHED-7", "--all", "--amount", "50%", "--yes")
    assert (both.status, neither.status, part.status) == (2, 2, 2)
    assert "keep one of the two" in both.err
    assert "name one by its key, or add --all" in neither.err
    assert "--all and --amount do not go together" in part.err


def test_nothing_left(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("refund", "SHED-7", "--all", "--yes")
    with unchanged():
        result = escrow("refund", "SHED-7", "--all", "--yes")
    assert result.status == 1
    assert "no money waits in SHED-7" in result.err
