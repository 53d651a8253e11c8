"""`escrow open` and `escrow fund`."""

from __future__ import annotations

from pathlib import Path

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged


def statuses(escrow: Run) -> dict[str, str]:
    shown = escrow("status", "SHED-7", "--json").json
    return {milestone["key"]: milestone["status"] for milestone in shown["milestones"]}


def test_opens_without_paying_in(escrow: Run, signed: Path):
    result = escrow("open", str(signed), "--yes")
    assert result.status == 0
    assert "its terms cannot change" in result.words
    assert set(statuses(escrow).values()) == {"unfunded"}


def test_opens_and_pays_the_deposit_on(escrow: Run, signed: Path, world: World):
    result = escrow("open", "SHED-7", "--fund", "next", "--yes")
    assert "pays 1,000.00 USDC to Holz & Söhne now, final" in result.words
    assert "paid with a permit for exactly 1,000.00 USDC" in result.words
    assert statuses(escrow)["deposit"] == "settled"
    supplier = Agreement.load(signed).people["supplier"]
    assert world.balance(world.escrow.token("USDC"), supplier) == 51_000 * 10**6


def test_opens_with_the_milestones_that_are_named(escrow: Run, signed: Path):
    escrow("open", "SHED-7", "--fund", "deposit,walls", "--yes")
    found = statuses(escrow)
    assert (found["foundation"], found["walls"]) == ("unfunded", "funded")


def test_allows_exactly_what_is_needed(escrow: Run, signed: Path, world: World):
    escrow("open", "SHED-7", "--fund", "all", "--yes")
    buyer = Agreement.load(signed).people["buyer"]
    assert world.escrow.allowance(world.escrow.token("USDC"), buyer) == 0


def test_dry_run_sends_nothing(escrow: Run, signed: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("open", "SHED-7", "--fund", "all", "--dry-run")
    assert result.status == 0
    assert "Nothing was sent" in result.out
    assert "10,000.00 USDC in all" in result.words


def test_no_is_the_default_answer(escrow: Run, signed: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("open", "SHED-7", "--fund", "all", answers="\n")
    assert result.status == 130
    assert "nothing was sent" in result.err


def test_yes_is_taken(escrow: Run, signed: Path):
    assert escrow("open", "SHED-7", "--fund", "next", answers="y\n").status == 0


def test_refuses_to_ask_nobody(escrow: Run, signed: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("open", "SHED-7")
    assert result.status == 2
    assert "add --yes" in result.err


def test_refuses_what_one_side_has_not_signed(escrow: Run, deal: Path, unchanged: Unchanged):
    escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    with unchanged():
        result = escrow("open", str(deal), "--yes")
    assert result.status == 1
    assert "the supplier, Holz & Söhne, has not signed SHED-7" in result.err


def test_refuses_to_open_twice(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("open", "SHED-7", "--yes")
    assert result.status == 1
    assert "is open already; pay milestones in with `escrow fund SHED-7`" in result.err


def test_fund_takes_the_next_one(escrow: Run, signed: Path):
    escrow("open", "SHED-7", "--fund", "next", "--yes")
    result = escrow("fund", "SHED-7", "--yes")
    assert "'foundation': pays 3,000.00 USDC into the contract" in result.words
    assert "on 1 May 2027, 23:59 UTC+02:00 gives 3,000.00 USDC back to Anna Bauer" in result.words
    assert statuses(escrow)["foundation"] == "funded"


def test_fund_takes_names_and_all(escrow: Run, signed: Path):
    escrow("open", "SHED-7", "--yes")
    escrow("fund", "SHED-7", "walls", "handover", "--yes")
    assert statuses(escrow)["foundation"] == "unfunded"
    sent = escrow("fund", "SHED-7", "--all", "--yes", "--json").json
    assert sent["milestones"][0]["key"] == "deposit"
    assert sent["sent"] is True
    assert "unfunded" not in statuses(escrow).values()


def test_fund_says_when_nothing_is_left(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("fund", "SHED-7", "--yes")
    assert result.status == 1
    assert "nothing left to fund: all are funded" in result.err


def test_fund_refuses_what_is_funded(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("fund", "SHED-7", "walls", "--yes")
    assert result.status == 1
    assert "'walls' is waiting for proof, it cannot be funded" in result.err


def test_fund_refuses_after_the_deadline(escrow: Run, signed: Path, world: World):
    escrow("open", "SHED-7", "--yes")
    world.travel(world.now + 70 * 86_400)
    result = escrow("fund", "SHED-7", "foundation", "--yes")
    assert result.status == 1
    assert "could be funded until 1 May 2027, 23:59 UTC+02:00" in result.err


def test_fund_refuses_an_empty_wallet(
    escrow: Run, signed: Path, world: World, unchanged: Unchanged
):
    token, buyer = world.escrow.token("USDC"), Agreement.load(signed).people["buyer"]
    escrow("open", "SHED-7", "--yes")
    _move_away(world, buyer, world.balance(token, buyer) - 500 * 10**6)
    with unchanged():
        result = escrow("fund", "SHED-7", "walls", "--yes")
    assert result.status == 1
    assert "Anna Bauer has 500.00 USDC, and 4,000.00 USDC is needed" in result.err


def _move_away(world: World, account: str, units: int) -> None:
    from milestone_escrow.chain.contract.tokens import transfer_call

    token = world.escrow.token("USDC")
    call = transfer_call(world.operator.address, units)
    world.chain.send_from(1, bytes.fromhex(token.address[2:]), call)
