"""Money that could not be delivered: told before and after, in every list, and collected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milestone_escrow.chain.contract.tokens import denylist_call
from milestone_escrow.keys import DevSigner
from milestone_escrow.keys.sandbox_people import account_of
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.cli.deal import BUYER, DEAL, SUPPLIER

FEES = DevSigner(19).address
Deny = Callable[..., None]


@pytest.fixture
def deny(world: World) -> Deny:
    """What the token's issuer does to accounts."""
    place = bytes.fromhex(world.escrow.token("USDC").address[2:])

    def do(*accounts: str, denied: bool = True) -> None:
        for account in accounts:
            world.chain.send_from(20, place, denylist_call(account, denied))

    return do


@pytest.fixture
def deal(home: Path) -> Path:
    """The deal, with a fee of 1 %."""
    path = Path("shed.yaml").resolve()
    fee = f'fee: "1 % to {FEES}"'
    path.write_text(DEAL.replace("fee: none", fee), encoding="utf-8")
    return path


@pytest.fixture
def undelivered(escrow: Run, opened: Path, deny: Deny) -> None:
    """Supplier and fee account are denylisted, and then the walls are accepted."""
    deny(SUPPLIER, FEES)
    for verifier in ("surveyor", "carpenter"):
        command = ("attest", "SHED-7", "walls", "--accept", "--as", verifier, "--yes")
        assert escrow(*command).status == 0


def test_whoever_pays_out_is_told_before_and_after_what_does_not_arrive(
    escrow: Run, opened: Path, deny: Deny
):
    deny(SUPPLIER, FEES)
    before = (
        "3,960.00 USDC will not arrive at Holz & Söhne: the token refuses (“Denylisted”); it will "
        "wait for `escrow withdraw` 40.00 USDC will not arrive at the fee account (0x4bd128…)"
    )
    approve = ("approve", "SHED-7", "walls")
    assert before in escrow(*approve, "--dry-run").words
    result = escrow(*approve, "--yes")
    assert before in result.words
    assert "3,960.00 USDC did not arrive at Holz & Söhne" in result.words
    assert "it waits for `escrow withdraw SHED-7 --for supplier`" in result.words
    assert "it waits for `escrow withdraw SHED-7 --for fee`" in result.words
    assert "Paid" not in result.words


@pytest.mark.parametrize(
    ("line", "loses"),
    {
        "settle": ("settle SHED-7 walls --to-supplier 50% --to-buyer rest --as buyer "
                   "--with supplier", "1,980.00 USDC will not arrive at Holz & Söhne"),
        "attest": ("attest SHED-7 foundation --accept --as surveyor",
                   "2,970.00 USDC will not arrive at Holz & Söhne"),
        "refund": ("refund SHED-7 walls", "4,000.00 USDC will not arrive at Anna Bauer"),
        "finalize": ("finalize SHED-7 foundation",
                     "3,000.00 USDC will not arrive at Anna Bauer"),
        "submit": ("submit SHED-7 handover", ""),
    }.values(),
)  # fmt: skip
def test_every_verb_that_pays_out_asks_the_token_first(
    escrow: Run, opened: Path, deny: Deny, world: World, line: str, loses: str
):
    if "finalize" in line:
        world.travel(world.now + 62 * 86_400)
    deny(SUPPLIER, BUYER)
    result = escrow(*line.split(), "--dry-run")
    assert result.status == 0, result.err
    assert loses in result.words
    assert ("will not arrive" in result.words) is bool(loses)


def test_a_batch_tells_before_and_after_what_does_not_arrive(escrow: Run, opened: Path, deny: Deny):
    deny(SUPPLIER)
    Path("list.yaml").write_text(
        "verdicts:\n  - {agreement: SHED-7, milestone: walls, verdict: accepted}\n",
        encoding="utf-8",
    )
    batch = ("attest", "--batch", "list.yaml", "--yes", "--as")
    escrow(*batch, "surveyor")
    result = escrow(*batch, "carpenter")
    assert "3,960.00 USDC will not arrive at Holz & Söhne: the token refuses" in result.words
    assert "'walls' not delivered" in result.words
    assert "3,960.00 USDC did not arrive at Holz & Söhne" in result.words


def test_who_has_bought_a_receivable_is_paid_and_named_like_the_supplier(
    escrow: Run, opened: Path, deny: Deny
):
    assign = ("receivable", "assign", "SHED-7", "walls", "--to", "financier", "--yes")
    assert escrow(*assign).status == 0
    deny(account_of("financier"))
    assert "3,960.00 USDC did not arrive" in escrow("approve", "SHED-7", "walls", "--yes").words
    found = escrow("status", "--as", "financier", "--json").json["tasks"]
    assert [(task["as"], task["command"].split(" --for ")[0]) for task in found] == [
        ("financier", "escrow withdraw SHED-7")
    ]
    deny(account_of("financier"), denied=False)
    assert escrow(*found[0]["command"].split()[1:], "--yes").status == 0
    assert escrow("withdraw", "SHED-7", "--for", "financier", "--yes").status == 1


def test_a_deposit_that_would_not_arrive_is_told_before_it_is_paid_in(
    escrow: Run, signed: Path, deny: Deny
):
    deny(SUPPLIER)
    result = escrow("open", str(signed), "--fund", "deposit", "--dry-run")
    assert "990.00 USDC will not arrive at Holz & Söhne" in result.words


def test_status_counts_as_paid_only_what_arrived(escrow: Run, undelivered: None):
    result = escrow("status", "SHED-7")
    assert "walls not delivered 4,000.00 4,000.00" in result.words
    assert "Held by the contract 5,000.00 USDC, paid 1,000.00 USDC." in result.words
    said = "Could not be delivered: 3,960.00 USDC wait for Holz & Söhne; for now the token refuses"
    assert said in result.words
    assert "Could not be delivered: 40.00 USDC wait for the fee account" in result.words
    shown = escrow("status", "SHED-7", "--json").json
    assert [(one["account"], one["units"], one["command"]) for one in shown["credits"]] == [
        (SUPPLIER, "3960000000", "escrow withdraw SHED-7 --for supplier"),
        (FEES, "40000000", "escrow withdraw SHED-7 --for fee"),
    ]
    (listed,) = escrow("agreement", "list", "--json").json["agreements"]
    units = {name: listed[name]["units"] for name in ("paid", "not_delivered", "held")}
    assert units == {"paid": "1000000000", "not_delivered": "4000000000", "held": "5000000000"}
    assert "not delivered" in escrow("agreement", "list").words


def test_a_part_that_was_given_back_and_did_not_arrive_is_not_paid(
    escrow: Run, opened: Path, deny: Deny
):
    refund = ("refund", "SHED-7", "walls", "--amount", "100", "--yes")
    assert escrow(*refund).status == 0
    assert "walls waiting for proof, partly given back" in escrow("status", "SHED-7").words
    deny(BUYER)
    assert "100.00 USDC did not arrive at Anna Bauer" in escrow(*refund).words
    shown = escrow("status", "SHED-7").words
    assert "walls waiting for proof, partly not delivered 4,000.00 100.00 100.00" in shown
    assert "100.00 USDC wait for Anna Bauer" in shown


def test_what_waits_for_somebody_is_their_most_urgent_task(
    escrow: Run, undelivered: None, deny: Deny
):
    result = escrow("status", "--as", "supplier")
    assert "3,960.00 USDC wait for you" in result.words
    assert "Nothing needs you now" not in result.words
    deny(SUPPLIER, denied=False)
    assert "for you, which can be collected now" in escrow("status", "--as", "supplier").words
    task = escrow("status", "--json").json["tasks"][0]
    assert (task["as"], task["who"], task["later"]) == ("supplier", "Holz & Söhne", False)
    assert task["command"] == "escrow withdraw SHED-7 --for supplier --as supplier"


def test_what_came_from_another_agreement_is_told_apart_and_once(
    escrow: Run, undelivered: None, deal: Path
):
    other = Path("other.yaml")
    text = deal.read_text(encoding="utf-8").replace("SHED-7", "SHED-8")
    other.write_text(text, encoding="utf-8")
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", str(other), "--as", role, "--yes").status == 0
    assert escrow("open", str(other), "--fund", "walls", "--yes").status == 0
    result = escrow("status", "SHED-8")
    assert "3,960.00 USDC wait for Holz & Söhne, 3,960.00 USDC of it from other" in result.words
    tasks = escrow("status", "--as", "supplier", "--json").json["tasks"]
    collected = [task["reference"] for task in tasks if "withdraw" in task["command"]]
    assert collected == ["SHED-7"]


def test_history_tells_credits_and_withdrawals_with_their_milestone(
    escrow: Run, undelivered: None, deny: Deny
):
    deny(SUPPLIER, denied=False)
    # Somebody collects it for them, among everything else that waits for that account.
    assert escrow("withdraw", "SHED-7", "--for", SUPPLIER, "--as", "arbiter", "--yes").status == 0
    told = escrow("history", "SHED-7", "walls", "--json").json["events"][-4:]
    assert [(one["event"], one["text"]) for one in told] == [
        ("MilestonePaid", "released 3,960.00 USDC to Holz & Söhne (fee 40.00 USDC) for 'walls'"),
        ("PayoutCredited", "could not receive 3,960.00 USDC, which waits for `escrow withdraw`"),
        ("PayoutCredited", "could not receive 40.00 USDC, which waits for `escrow withdraw`"),
        ("CreditWithdrawn", "received 3,960.00 USDC that had waited"),
    ]
    # What fails later for the same account is another milestone's.
    deny(SUPPLIER)
    assert escrow("approve", "SHED-7", "foundation", "--yes").status == 0
    assert escrow("history", "SHED-7", "walls", "--json").json["events"][-4:] == told
    others = escrow("history", "SHED-7", "deposit", "--json").json["events"]
    assert others[-1]["text"].startswith("paid 990.00 USDC to Holz & Söhne")
    assert "walls paid 4,000.00 3,960.00 40.00" in escrow("status", "SHED-7").words


def test_nobody_who_cannot_receive_stops_another(
    escrow: Run, undelivered: None, deny: Deny, world: World
):
    token = world.escrow.token("USDC")
    result = escrow("withdraw", "SHED-7", "--yes")
    assert result.status == 1
    assert "Holz & Söhne cannot receive 3,960.00 USDC: the token refuses" in result.words
    assert "the fee account (0x4bd128…) cannot receive 40.00 USDC" in result.words
    told = escrow("withdraw", "SHED-7", "--yes", "--json").json
    assert (told["sent"], [bool(one["refusal"]) for one in told["accounts"]]) == (False, [True] * 2)
    deny(FEES, denied=False)
    tried = escrow("withdraw", "SHED-7", "--dry-run", "--json")
    assert tried.status == 1
    assert [(one["account"], bool(one["refusal"])) for one in tried.json["accounts"]] == [
        (SUPPLIER, True),
        (FEES, False),
    ]
    result = escrow("withdraw", "SHED-7", "--yes")
    assert result.status == 1
    assert "Still waiting: 3,960.00 USDC for Holz & Söhne. Paid 40.00 USDC to" in result.words
    assert world.balance(token, FEES) == 50 * 10**6
    deny(SUPPLIER, denied=False)
    assert escrow("withdraw", "SHED-7", "--yes").status == 0
    assert "Nothing needs you now" in escrow("status", "--as", "supplier").out
    assert "walls paid 4,000.00 4,000.00" in escrow("status", "SHED-7").words


def test_the_fee_account_and_any_other_are_named(escrow: Run, undelivered: None, deny: Deny):
    deny(FEES, denied=False)
    for name in ("fee", FEES):
        result = escrow("withdraw", "SHED-7", "--for", name, "--dry-run")
        assert "pays 40.00 USDC to the fee account (0x4bd128…)" in result.words
    assert escrow("withdraw", "SHED-7", "--for", "nobody", "--yes").status == 2
    result = escrow("withdraw", "SHED-7", "--for", "buyer", "--yes")
    assert result.status == 1
    assert "nothing waits for Anna Bauer" in result.err


def test_papers_say_what_was_not_delivered_and_what_was_collected(
    escrow: Run, undelivered: None, deny: Deny
):
    result = escrow("receipt", "SHED-7", "walls")
    assert (
        "payment notice SHED-7-walls-N1 of 1 Mar 2027: 4,000.00 USDC decided, 3,960.00 USDC of it "
        "not delivered; the receipt follows when that is collected"
    ) in result.words
    rows = escrow("statement", "SHED-7", "--json").json["movements"]
    assert [(row["movement"], row["counterparty"], row["gross"]) for row in rows[-2:]] == [
        ("not delivered", "Holz & Söhne", "3960.00"),
        ("not delivered", "Escrow fee", "40.00"),
    ]
    deny(SUPPLIER, denied=False)
    assert escrow("withdraw", "SHED-7", "--for", "supplier", "--yes").status == 0
    assert "receipt SHED-7-walls-R1" in escrow("receipt", "SHED-7", "walls").words
    assert "collected walls 3,960.00" in escrow("statement", "SHED-7").words


def test_a_bundle_proves_credits_and_their_withdrawals(escrow: Run, undelivered: None, deny: Deny):
    def claims(bundle: str) -> str:
        assert escrow("audit", "export", "SHED-7", "-o", bundle).status == 0
        result = escrow("audit", "verify", bundle)
        assert result.status == 0, result.out
        return result.words

    assert "of this, 4,000.00 USDC could not be delivered" in claims("before.json")
    deny(SUPPLIER, FEES, denied=False)
    assert escrow("withdraw", "SHED-7", "--yes").status == 0
    assert "could not be delivered" not in claims("after.json")


def test_a_part_is_collected_and_the_rest_stays_in_sight(
    escrow: Run, undelivered: None, deny: Deny
):
    deny(SUPPLIER, denied=False)
    part = ("withdraw", "SHED-7", "--for", "supplier", "--amount")
    more = escrow(*part, "5,000.00", "--yes")
    assert more.status == 2
    assert "5,000.00 USDC was asked for, 3,960.00 USDC wait for Holz & Söhne" in more.err
    assert escrow("withdraw", "SHED-7", "--amount", "1.00", "--yes").status == 2
    result = escrow(*part, "1,000.00", "--yes")
    assert "pays 1,000.00 USDC to Holz & Söhne; 2,960.00 USDC go on waiting" in result.words
    assert "Paid 1,000.00 USDC to Holz & Söhne. Still waiting: 2,960.00 USDC" in result.words
    assert "2,960.00 USDC wait for Holz & Söhne" in escrow("status", "SHED-7").words
    assert escrow("withdraw", "SHED-7", "--for", "supplier", "--yes").status == 0
    assert "wait for Holz" not in escrow("status", "SHED-7").words
