"""`escrow receivable`: what a factor sees, a sale from the first offer to the payout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.keys import DevSigner
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import SUPPLIER
from tests.cli.dispute.test_verbs import paid

DAY = 86_400
FINANCIER = DevSigner(7).address


@pytest.fixture
def financier(world: World) -> str:
    """The sandbox's financier, with money to invest."""
    world.mint(FINANCIER, world.escrow.token("USDC"), 50_000 * 10**6)
    return FINANCIER


@pytest.fixture
def submitted(escrow: Run, opened: Path, financier: str) -> str:
    """'handover' in its review period: 2,000.00 USDC come in 7 days."""
    assert escrow("submit", "SHED-7", "handover", "--yes").status == 0
    return "handover"


@pytest.fixture
def offer(escrow: Run, submitted: str) -> str:
    line = ("receivable", "offer", "SHED-7", submitted, "--price", "1,950.00", "--yes")
    assert escrow(*line).status == 0
    return "handover.offer.json"


def balance(world: World, account: str) -> int:
    return world.balance(world.escrow.token("USDC"), account)


def test_check_says_that_work_must_still_be_proven(escrow: Run, opened: Path):
    result = escrow("receivable", "check", "SHED-7", "walls")
    assert result.out.splitlines()[1] == "unverified"
    for text in (
        "milestone payment: paid when it is proven; otherwise it goes back to the buyer",
        "4,000.00 USDC held by the contract",
        "no; 2 of Otto Span, Vera Grün can",
        "nothing, if nobody acts",
        "worst case nothing",
        "none on this contract",
        "escrow receivable offer SHED-7 walls --price 97%",
    ):
        assert text in result.words


def test_check_names_who_can_stop_a_payment_and_until_when(escrow: Run, submitted: str):
    result = escrow("receivable", "check", "SHED-7", submitted)
    assert "buyer can stop it, until 8 Mar 2027, 09:00 UTC+01:00" in result.words
    assert "the buyer (Anna Bauer) can dispute it until 8 Mar 2027" in result.words
    assert "2,000.00 USDC if nobody acts, on 8 Mar 2027" in result.words


def test_check_as_json_has_times_and_units(escrow: Run, submitted: str, world: World):
    found = escrow("receivable", "check", "SHED-7", submitted, "--json").json
    assert found["verdict"] == "buyer can stop it"
    assert found["expected"] == {"units": "2000000000", "text": "2,000.00 USDC"}
    assert found["expected_at"] == found["earliest"]
    assert found["stoppers"][0]["verb"] == "dispute"
    assert found["worst"]["units"] == "0"


def test_a_time_only_payment_is_called_that(escrow: Run, submitted: str, world: World):
    world.travel(world.now + 8 * DAY)
    result = escrow("receivable", "check", "SHED-7", submitted)
    assert result.out.splitlines()[1] == "time only"
    assert "can be stopped by nobody" in result.words


def test_what_is_settled_has_nothing_to_sell(escrow: Run, opened: Path, unchanged: Unchanged):
    result = escrow("receivable", "check", "SHED-7", "deposit")
    assert result.out.splitlines()[1] == "nothing to sell"
    assert "worst case" not in result.out
    with unchanged():
        refused = escrow("receivable", "offer", "SHED-7", "deposit", "--price", "90%", "--yes")
    assert refused.status == 1
    assert "'deposit' is paid, its payout cannot change hands" in refused.err


def test_an_offer_shows_its_cost_and_writes_a_file(
    escrow: Run, submitted: str, world: World, home: Path
):
    before = world.chain.head.number
    result = escrow("receivable", "offer", "SHED-7", submitted, "--price", "1,950.00", "--yes")
    assert "costs 1,950.00 for 2,000.00 in 7 days: 133.7 % a year" in result.words
    assert "sells what it pays to whoever buys it" in result.words
    assert "or until somebody decides about 'handover' or you take it back" in result.words
    assert "escrow receivable buy handover.offer.json" in result.out
    assert world.chain.head.number == before
    assert json.loads(Path("handover.offer.json").read_text("utf-8"))["acts"][0]["act"] == "offer"
    assert len(list((home / "offers").iterdir())) == 1


def test_a_dry_run_of_an_offer_signs_nothing(escrow: Run, submitted: str, unchanged: Unchanged):
    with unchanged():
        result = escrow("receivable", "offer", "SHED-7", submitted, "--price", "97%", "--dry-run")
    assert result.status == 0
    assert not Path("handover.offer.json").exists()


def test_a_price_may_be_a_share_of_what_is_held(escrow: Run, submitted: str):
    result = escrow(
        "receivable", "offer", "SHED-7", submitted, "--price", "97.5%", "--yes", "--json"
    )
    assert result.json["price"] == {"units": "1950000000", "text": "1,950.00 USDC"}
    assert result.json["days"] == 7
    assert result.json["yearly_rate"] == 1.337


def test_the_cost_of_unproven_work_says_if(escrow: Run, opened: Path):
    result = escrow("receivable", "offer", "SHED-7", "walls", "--price", "3,900.00", "--dry-run")
    assert "in 92 days: 10.2 % a year, if it is proven and nobody objects" in result.words


def test_check_of_an_offer_shows_its_price(escrow: Run, offer: str):
    result = escrow("receivable", "check", offer)
    assert "Offered for 1,950.00 USDC: 1,950.00 for 2,000.00 in 7 days" in result.words
    assert escrow("receivable", "check", offer, "--json").json["offer"]["yearly_rate"] == 1.337


def test_a_sale_from_offer_to_payout(escrow: Run, offer: str, world: World):
    supplier, financier = balance(world, SUPPLIER), balance(world, FINANCIER)
    result = escrow("receivable", "buy", offer, "--yes")
    assert result.status == 0
    for text in (
        "pays 1,950.00 USDC to Holz & Söhne now, final, and makes the financier",
        "the risk: buyer can stop it, until 8 Mar 2027, 09:00 UTC+01:00",
        "at worst you receive nothing",
        "paid with a permit for exactly 1,950.00 USDC",
    ):
        assert text in result.words
    assert balance(world, SUPPLIER) == supplier + 1_950 * 10**6
    assert balance(world, FINANCIER) == financier - 1_950 * 10**6
    world.travel(world.now + 8 * DAY)
    assert escrow("finalize", "SHED-7", "--yes").status == 0
    assert balance(world, FINANCIER) == financier + 50 * 10**6
    history = escrow("history", "SHED-7").words
    assert "sold what 'handover' pays to the financier" in history
    assert "paid 2,000.00 USDC to the financier" in history


def test_with_an_allowance_exactly_the_price_is_allowed(escrow: Run, offer: str, world: World):
    result = escrow("receivable", "buy", offer, "--with", "allowance", "--yes", "--json")
    assert len(result.json["transactions"]) == 2
    assert result.json["with"] == "allowance"
    assert world.escrow.allowance(world.escrow.token("USDC"), FINANCIER) == 0


def test_status_shows_the_payee_and_what_the_payee_must_do(escrow: Run, offer: str):
    escrow("receivable", "buy", offer, "--yes")
    shown = escrow("status", "SHED-7").words
    assert "milestone status payee USDC" in shown
    assert "handover submitted for review the financier" in shown
    assert "escrow refund SHED-7 handover --as financier" in shown
    milestones = escrow("status", "SHED-7", "--json").json["milestones"]
    assert milestones[3]["payee"] == FINANCIER


def test_a_financiers_status_lists_what_needs_them(escrow: Run, opened: Path, financier: str):
    escrow("receivable", "offer", "SHED-7", "foundation", "--price", "2,900.00", "--yes")
    escrow("receivable", "buy", "foundation.offer.json", "--yes")
    escrow("attest", "SHED-7", "foundation", "--reject", "It cracks", "--yes")
    tasks = escrow("status", "--as", "financier", "--json").json["tasks"]
    assert [task["command"].split(" --reason")[0] for task in tasks] == [
        "escrow dispute SHED-7 foundation"
    ]


def test_list_shows_what_is_owned_and_what_is_offered(escrow: Run, offer: str):
    before = escrow("receivable", "list").words
    assert "handover Holz & Söhne 2,000.00 USDC 8 Mar 2027" in before
    assert "1,950.00 USDC buyer can stop it" in before
    assert escrow("receivable", "list", "--as", "financier").words.startswith("No milestone")
    escrow("receivable", "buy", offer, "--yes")
    after = escrow("receivable", "list", "--as", "financier", "--json").json["receivables"]
    assert [(found["milestone"], found["payee"]) for found in after] == [("handover", FINANCIER)]
    assert after[0]["earlier_sales"][0]["price"] == "1950000000"
    assert after[0]["offers"] == []


def test_assign_hands_it_on_for_nothing(escrow: Run, submitted: str):
    result = escrow("receivable", "assign", "SHED-7", submitted, "--to", "financier", "--yes")
    assert "from now on whatever it pays goes to the financier" in result.words
    assert "nothing is paid for it" in result.words
    escrow("approve", "SHED-7", submitted, "--yes")
    assert paid(escrow, submitted)[0] == "settled"
    assert escrow("status", "SHED-7", "--json").json["milestones"][3]["payee"] == FINANCIER


def test_assign_signed_and_sent_by_another(escrow: Run, submitted: str):
    escrow("receivable", "assign", "SHED-7", submitted, "--to", FINANCIER, "--sign-only", "a.json",
           "--yes")  # fmt: skip
    result = escrow("send", "a.json", "--as", "arbiter", "--yes")
    assert result.status == 0
    assert "whatever it pays goes to the financier" in result.words


def test_after_a_sale_the_supplier_decides_nothing(escrow: Run, offer: str, unchanged: Unchanged):
    escrow("receivable", "buy", offer, "--yes")
    with unchanged():
        result = escrow("refund", "SHED-7", "handover", "--as", "supplier", "--yes")
    assert result.status == 1
    assert "only the payee (the financier" in result.err


def test_an_offer_to_one_is_bought_by_no_other(
    escrow: Run, submitted: str, unchanged: Unchanged, world: World
):
    escrow("receivable", "offer", "SHED-7", submitted, "--price", "97%", "--to", "financier",
           "--yes")  # fmt: skip
    with unchanged():
        result = escrow("receivable", "buy", "handover.offer.json", "--as", "buyer", "--yes")
    assert result.status == 1
    assert "is to the financier" in result.err
    assert escrow("receivable", "buy", "handover.offer.json", "--yes").status == 0


def test_an_offer_dies_when_the_milestone_changes(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("receivable", "offer", "SHED-7", "walls", "--price", "90%", "--yes")
    escrow("submit", "SHED-7", "walls", "--yes")
    with unchanged():
        result = escrow("receivable", "buy", "walls.offer.json", "--as", "financier", "--yes")
    assert result.status == 1
    assert "'walls' has changed since the offer was signed" in result.err


def test_the_payee_takes_every_offer_back(escrow: Run, submitted: str, financier: str):
    escrow("receivable", "offer", "SHED-7", submitted, "--price", "90%", "--yes")
    taken = escrow("receivable", "withdraw", "SHED-7", submitted, "--yes")
    assert taken.status == 0, taken.err
    assert f"'{submitted}': takes back every offer of what it pays" in taken.words
    result = escrow("receivable", "buy", f"{submitted}.offer.json", "--as", "financier", "--yes")
    assert result.status == 1
    assert "has changed since the offer was signed" in result.err
    assert f"took back every offer of what '{submitted}' pays" in escrow("history", "SHED-7").words


def test_what_is_given_back_comes_off_the_price(escrow: Run, opened: Path, financier: str):
    escrow("receivable", "offer", "SHED-7", "walls", "--price", "90%", "--yes")
    escrow("refund", "SHED-7", "walls", "--amount", "1,000.00", "--yes")
    buy = ("receivable", "buy", "walls.offer.json", "--as", "financier", "--yes")
    result = escrow(*buy)
    assert result.status == 0, result.err
    assert "'walls': pays 2,600.00 USDC to Holz & Söhne now, final" in result.words


def test_an_offer_is_bought_once(escrow: Run, offer: str, unchanged: Unchanged):
    escrow("receivable", "buy", offer, "--yes")
    with unchanged():
        result = escrow("receivable", "buy", offer, "--as", "buyer", "--yes")
    assert "the offer is by Holz & Söhne, and the financier" in result.err


def test_an_offer_expires(escrow: Run, opened: Path, world: World):
    escrow("receivable", "offer", "SHED-7", "walls", "--price", "90%", "--valid-for", "2 days",
           "--yes")  # fmt: skip
    world.travel(world.now + 3 * DAY)
    result = escrow("receivable", "buy", "walls.offer.json", "--as", "financier", "--yes")
    assert result.status == 1
    assert "the offer stood until 3 Mar 2027" in result.err


def test_an_offer_is_not_sent(escrow: Run, offer: str):
    result = escrow("send", offer, "--yes")
    assert result.status == 1
    assert "escrow receivable buy handover.offer.json" in result.err


WRONG = {
    "who decides may not own": (
        ("assign", "SHED-7", "walls", "--to", "surveyor"),
        "Vera Grün decides about 'walls' and may not own it",
    ),
    "not the payee": (
        ("offer", "SHED-7", "walls", "--price", "90%", "--as", "buyer"),
        "only the payee (Holz & Söhne) sells it, and Anna Bauer is asking",
    ),
    "more than is held": (
        ("offer", "SHED-7", "walls", "--price", "4,000.01"),
        "at most 4,000.00 USDC",
    ),
    "to oneself": (("assign", "SHED-7", "walls", "--to", "supplier"), "theirs already"),
    "to nobody": (("assign", "SHED-7", "walls", "--to", "bank"), "nobody is known here as 'bank'"),
    "to no account": (("assign", "SHED-7", "walls", "--to", "0x12"), "'0x12' is not an account"),
    "no milestone": (("check", "SHED-7", "roof"), "'roof' is not a milestone of SHED-7"),
    "no offer": (("check", "SHED-7"), "SHED-7: cannot be read"),
    "not an offer": (("buy", "shed.yaml"), "it is not JSON"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused_in_words(escrow: Run, opened: Path, unchanged: Unchanged, case: str):
    (verb, *rest), says = WRONG[case]
    options = [] if verb == "check" else ["--yes"]
    with unchanged():
        result = escrow("receivable", verb, *rest, *options)
    assert result.status in (1, 2)
    assert says in result.err


def test_a_poor_financier_is_told_so(escrow: Run, opened: Path, unchanged: Unchanged):
    escrow("receivable", "offer", "SHED-7", "walls", "--price", "90%", "--to", FINANCIER, "--yes")
    with unchanged():
        result = escrow("receivable", "buy", "walls.offer.json", "--yes")
    assert result.status == 1
    assert "has 0.00 USDC, and 3,600.00 USDC is needed" in result.err


def test_the_list_gives_no_all_clear_for_who_is_unknown(escrow: Run, opened: Path):
    for options, words in (
        (("--as", "nobody"), "there is no key or role 'nobody' here"),
        (("--as", "Supplier"), "did you mean 'supplier'?"),
        (("--network", "nowhere"), "there is no network 'nowhere'"),
    ):
        result = escrow("receivable", "list", *options)
        assert (result.status, result.out) == (2, "")
        assert words in result.err


def test_the_list_names_what_it_could_not_read(escrow: Run, opened: Path, home: Path):
    (home / "agreements" / f"0x{'ab' * 32}.json").write_text("{")
    result = escrow("receivable", "list", "--as", "buyer")
    assert "No milestone" not in result.out
    assert "Not looked at" in result.words


def test_a_home_without_agreements_is_no_all_clear(escrow: Run, home: Path):
    result = escrow("receivable", "list")
    assert f"There is no agreement here yet, in {home}/agreements." in result.words
