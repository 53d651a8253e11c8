"""`escrow fund --with`: allowance, permit, authorization; signed by one, sent by another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import BUYER
from tests.cli.dispute.test_verbs import paid

DAY = 86_400


@pytest.fixture
def empty(escrow: Run, signed: Path) -> Path:
    """The deal, open, with nothing paid in."""
    assert escrow("open", str(signed), "--yes").status == 0
    return signed


@pytest.fixture
def payment(escrow: Run, empty: Path) -> str:
    """The buyer's authorization for 'walls', signed and not sent."""
    line = ("fund", "SHED-7", "walls", "--with", "authorization", "--sign-only", "pay.json")
    assert escrow(*line, "--yes").status == 0
    return "pay.json"


def units(world: World, account: str = BUYER) -> int:
    return world.balance(world.escrow.token("USDC"), account)


def test_a_permit_is_best_and_says_why(escrow: Run, empty: Path, world: World):
    before = world.chain.head.number
    result = escrow("fund", "SHED-7", "walls", "--yes", "--json")
    assert result.json["with"] == "permit"
    assert result.json["will"][-1] == (
        "paid with a permit for exactly 4,000.00 USDC: USDC knows permits, so one transaction is "
        "enough"
    )
    assert world.chain.head.number == before + 1
    assert world.escrow.allowance(world.escrow.token("USDC"), BUYER) == 0


def test_an_allowance_that_is_there_is_used(escrow: Run, empty: Path, world: World):
    world.acting_as(BUYER).allow("USDC", 4_000 * 10**6)
    result = escrow("fund", "SHED-7", "walls", "--yes")
    assert "paid from what Anna Bauer has allowed the contract to take" in result.words


def test_an_allowance_that_was_asked_for_takes_two_transactions(
    escrow: Run, empty: Path, world: World
):
    result = escrow("fund", "SHED-7", "walls", "--with", "allowance", "--yes")
    assert "before that, allows the contract to take exactly 4,000.00 USDC" in result.words
    assert "allowance 0x" in result.words
    assert world.escrow.allowance(world.escrow.token("USDC"), BUYER) == 0


@pytest.mark.parametrize("way", ["allowance", "permit", "authorization"])
def test_open_and_fund_in_each_way(escrow: Run, signed: Path, way: str, world: World):
    before = units(world)
    assert escrow("open", str(signed), "--fund", "all", "--with", way, "--yes").status == 0
    assert units(world) == before - 10_000 * 10**6
    assert paid(escrow, "walls")[0] == "funded"


def test_with_both_keys_at_hand_one_pays_and_the_other_sends(
    escrow: Run, empty: Path, world: World
):
    before = units(world)
    result = escrow("fund", "SHED-7", "walls", "--with", "authorization", "--as", "arbiter",
                    "--yes")  # fmt: skip
    assert "as Dr. A. Brandt (arbiter)" in result.words
    assert "paid with an authorization of Anna Bauer for exactly 4,000.00 USDC" in result.words
    assert units(world) == before - 4_000 * 10**6


def test_signing_a_payment_sends_nothing(escrow: Run, empty: Path, unchanged: Unchanged):
    line = ("fund", "SHED-7", "walls", "--sign-only", "pay.json", "--valid-for", "3 days", "--yes")
    with unchanged():
        result = escrow(*line)
    assert result.status == 0
    until = "until 4 Mar 2027, 09:00 UTC+01:00 (in 3 days)"
    assert f"counts once, {until}, for exactly this milestone" in result.words
    assert "escrow fund --submit pay.json" in result.out


@pytest.mark.parametrize("verb", [("fund", "--submit"), ("send",)])
def test_anybody_sends_what_the_buyer_pays(
    escrow: Run, payment: str, world: World, verb: tuple[str, ...]
):
    before = units(world)
    result = escrow(*verb, payment, "--as", "supplier", "--yes")
    assert result.status == 0
    assert "as Holz & Söhne (supplier)" in result.words
    assert "paid by Anna Bauer, whose signature counts until 31 Mar 2027" in result.words
    assert units(world) == before - 4_000 * 10**6
    assert paid(escrow, "walls")[0] == "funded"


def test_a_payment_is_sent_once(escrow: Run, payment: str, unchanged: Unchanged):
    escrow("fund", "--submit", payment, "--yes")
    with unchanged():
        result = escrow("fund", "--submit", payment, "--yes")
    assert result.status == 1
    assert "'walls' is waiting for proof, it cannot be funded" in result.err


def test_a_payment_expires(escrow: Run, payment: str, world: World):
    world.travel(world.now + 31 * DAY)
    result = escrow("fund", "--submit", payment, "--yes")
    assert result.status == 1
    assert "pay.json counted until 31 Mar 2027" in result.err


def test_a_payment_of_a_poor_buyer_is_refused_in_words(escrow: Run, payment: str, world: World):
    from milestone_escrow.chain.contract.tokens import transfer_call

    token = world.escrow.token("USDC")
    place = bytes.fromhex(token.address[2:])
    everything = units(world)
    world.chain.send_from(1, place, transfer_call("0x" + "12" * 20, everything))
    result = escrow("fund", "--submit", payment, "--yes")
    assert "Anna Bauer has 0.00 USDC, and 4,000.00 USDC is needed" in result.err


def test_a_forged_payment_is_refused(escrow: Run, payment: str, unchanged: Unchanged):
    fields = json.loads(Path(payment).read_text("utf-8"))

    def refused(change: dict[str, object], says: str) -> None:
        Path("forged.json").write_text(json.dumps(fields | change), "utf-8")
        with unchanged():
            result = escrow("fund", "--submit", "forged.json", "--yes")
        assert result.status in (1, 2)
        assert says in result.err

    message = fields["authorization"]
    refused({"milestones": ["walls", "handover"]}, "it pays for something else than it says")
    refused({"milestones": ["roof"]}, "its milestones do not exist")
    refused({"authorization": {**message, "validBefore": "1900000000"}}, "not signed by Anna Bauer")
    refused({"authorization": {**message, "from": "nobody"}}, "'nobody' is not an account")
    refused({"signature": "0x" + "00" * 65}, "not signed by Anna Bauer")


WRONG = {
    "a permit on paper": (
        ("SHED-7", "walls", "--with", "permit", "--sign-only", "x.json"),
        "only an authorization is signed to a file",
    ),
    "nothing named": ((), "the agreement is missing"),
    "a file and names": (("SHED-7", "--submit", "x.json"), "name only the file"),
    "no such way": (("SHED-7", "--with", "cash"), "is not one of"),
    "a file that is not there": (("--submit", "x.json"), "cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused_in_words(escrow: Run, empty: Path, unchanged: Unchanged, case: str):
    line, says = WRONG[case]
    with unchanged():
        result = escrow("fund", *line, "--yes")
    assert result.status == 2
    assert says in result.err


def test_a_token_without_permits_is_paid_by_allowance(
    escrow: Run, empty: Path, monkeypatch: pytest.MonkeyPatch
):
    from milestone_escrow.chain.contract import reader
    from milestone_escrow.chain.contract.token_support import TokenSupport

    plain = TokenSupport("", None, permit=False, authorization=False)
    monkeypatch.setattr(reader, "read_support", lambda *_: plain)
    result = escrow("fund", "SHED-7", "walls", "--yes")
    assert "allows the contract to take exactly 4,000.00 USDC: USDC knows no permits" in (
        result.words
    )
    refused = escrow("fund", "SHED-7", "handover", "--with", "permit", "--yes")
    assert refused.status == 2
    assert "USDC takes no permits; it takes allowance" in refused.err


def test_how_to_pay_needs_something_to_pay(escrow: Run, signed: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("open", str(signed), "--with", "permit", "--yes")
    assert result.status == 2
    assert "add --fund next" in result.err
