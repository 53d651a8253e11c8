"""buyReceivable: the payee's signed offer, and the price straight from financier to payee."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import product

import pytest

from milestone_escrow.protocol import receivables
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain, TypedData
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.protocol.signatures import compact
from milestone_escrow.protocol.transitions import Transition
from tests.contracts.support.contract import Refused, bytes32, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, FOREVER, Deal, make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS, Reverted
from tests.contracts.support.people import malleable, person
from tests.contracts.support.receivables import (
    ASSIGNABLE,
    PRICE,
    assign,
    assignment,
    buy,
    enrich,
    offer,
)
from tests.contracts.support.statuses import ENDS, OBJECTION, reach
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.twin import agree
from tests.contracts.support.world import World, account, branch

F, C, RP = Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING
OPEN = {F, C, RP}


@pytest.fixture
def market(world: World) -> World:
    """A world with two rich financiers."""
    enrich(world, "financier", "rival", "stranger")
    return world


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("at_end", [False, True], ids=["a second before its end", "at its end"])
def test_cell(market: World, status: Status, at_end: bool) -> None:
    """Every status on both sides of its end; whoever brings the offer and the money buys."""
    deal = reach(market, status)
    held = AMOUNT if status.holds or status is Status.UNFUNDED else 0
    offered = offer(market, deal, held=held)
    for buyer_of_it in ("financier", "stranger", "buyer"):
        here = branch(market)
        here.now = ENDS[status] - (0 if at_end else 1)
        before = here.state(deal)
        has = here.balance(buyer_of_it)
        with _expected(status, at_end):
            buy(here, deal, offered, by=buyer_of_it)
            bought = replace(before, assignee=account(buyer_of_it), handover=1)
            assert here.state(deal) == bought, "nothing else changes"
            assert has - here.balance(buyer_of_it) == PRICE == here.balance("supplier")
            continue
        assert here.chain.root == market.chain.root


def _expected(status: Status, at_end: bool) -> AbstractContextManager[None]:
    if status not in OPEN:
        return refuses("WrongStatus", milestone=0, current=int(status), allowed=ASSIGNABLE)
    if at_end:
        return refuses("TooLate", nowAt=ENDS[status], end=ENDS[status])
    return nullcontext()


def test_the_price_goes_straight_to_the_payee(market: World) -> None:
    deal = market.funded(fee_bps=500, fee_recipient=account("broker"))
    outcome = buy(market, deal, offer(market, deal))
    assert outcome.names == ["MilestoneAssigned"]
    assert outcome.event("MilestoneAssigned") == {
        "agreementId": deal.id,
        "milestone": 0,
        "assignee": account("financier"),
        "payee": account("supplier"),
        "price": PRICE,
    }
    (moved,) = (e.values for e in market.token.events(outcome.receipt) if e.name == "Transfer")
    assert moved == {"from": account("financier"), "to": account("supplier"), "value": PRICE}
    assert market.balance("broker") == 0, "the fee is on the payout, not on the price"


def test_the_payout_goes_to_the_financier(market: World) -> None:
    deal = market.funded()
    buy(market, deal, offer(market, deal))
    before = market.balance("financier")
    market.attest(deal, deal.attestation())
    assert market.balance("financier") - before == AMOUNT
    assert market.balance("supplier") == PRICE


def test_a_receivable_is_sold_on(market: World) -> None:
    deal = market.funded()
    buy(market, deal, offer(market, deal))
    again = offer(market, deal, price=PRICE + 7)
    signed = person("financier").sign(again.typed_data(market.domain))
    before = market.balance("financier")
    outcome = buy(market, deal, again, signature=signed, by="rival")
    assert outcome.event("MilestoneAssigned")["payee"] == account("financier")
    assert market.balance("financier") - before == PRICE + 7
    assert market.state(deal).assignee == account("rival")


def test_the_first_payees_offers_die_with_the_sale(market: World) -> None:
    deal = market.funded()
    offered = offer(market, deal)
    buy(market, deal, offered)
    renewed = replace(offered, handover=1)
    digest = renewed.typed_data(market.domain).digest()
    with refuses("InvalidSignature", signer=account("financier"), digest=digest):
        buy(market, deal, renewed, by="rival")


# What the offer pins.


def test_a_certificate_that_lands_first_outdates_the_offer(market: World) -> None:
    """The financier would have paid for a milestone of which a part is gone."""
    deal = market.funded()
    offered = offer(market, deal)
    market.attest(deal, deal.attestation(amount=AMOUNT - 1))
    with _outdated("epoch", 0, 1):
        buy(market, deal, offered)
    assert market.balance("supplier") == AMOUNT - 1, "no price was paid"


@pytest.mark.parametrize("what", ["submit", "assign", "reject and accept"])
def test_every_decision_outdates_the_offer(market: World, what: str) -> None:
    deal = market.funded(objection_period=OBJECTION)
    offered = offer(market, deal)
    if what == "submit":
        market.submit(deal)
    elif what == "assign":
        assign(market, deal, to="supplier")
    else:
        rejection = deal.attestation(verdict=Verdict.REJECTED, issued_at=GENESIS - 1)
        market.attest(deal, rejection)
        market.attest(deal, deal.attestation())
    state = market.state(deal)
    counter = "handover" if what == "assign" else "epoch"
    with _outdated(counter, 0, state.handover or state.epoch):
        buy(market, deal, offered)


def test_what_is_paid_by_consent_comes_off_the_price(market: World) -> None:
    """Nobody vetoes a sale by paying a unit: the offer stands, and costs a unit less."""
    deal = market.funded()
    offered = offer(market, deal)
    market.resolve(deal, 3, 0, by="buyer")
    market.resolve(deal, 0, 1, by="supplier")
    dust = branch(market)
    outcome = buy(market, deal, offered)
    assert outcome.event("MilestoneAssigned")["price"] == PRICE - 4
    assert market.balance("supplier") == 3 + PRICE - 4
    dust.resolve(deal, PRICE - 4, 0, by="buyer")
    with refuses("AmountOutOfBounds", asked=PRICE, atLeast=PRICE + 1, atMost=AMOUNT):
        buy(dust, deal, offered)


def test_an_offer_for_the_rest_is_good_after_a_part(market: World) -> None:
    deal = market.funded()
    market.resolve(deal, 400, 0, by="buyer")
    offered = offer(market, deal, price=AMOUNT - 400)
    assert (offered.held, offered.epoch) == (AMOUNT - 400, 0)
    buy(market, deal, offered)
    assert market.balance("supplier") == AMOUNT


@pytest.mark.parametrize(
    ("what", "signed", "present"),
    [
        ("held", AMOUNT - 1, AMOUNT),
        ("held", 0, AMOUNT),
        ("epoch", 1, 0),
        ("epoch", 2**16 - 1, 0),
        ("handover", 1, 0),
        ("handover", 2**8 - 1, 0),
    ],
)
def test_refuses_an_offer_of_another_state(
    market: World, what: str, signed: int, present: int
) -> None:
    deal = market.funded()
    with _outdated(what, signed, present):
        buy(market, deal, offer(market, deal, **{what: signed}))


def _outdated(what: str, signed: int, present: int) -> AbstractContextManager[None]:
    name = what.encode().ljust(32, b"\0")
    return refuses("ChangedSince", what=name, signed=signed, present=present)


@pytest.mark.parametrize("price", [1, AMOUNT])
def test_a_price_is_one_unit_to_all_that_is_held(market: World, price: int) -> None:
    deal = market.funded()
    buy(market, deal, offer(market, deal, price=price))
    assert market.balance("supplier") == price


@pytest.mark.parametrize("price", [0, AMOUNT + 1, 2**128 - 1])
def test_refuses_a_price_of_nothing_and_above_what_is_held(market: World, price: int) -> None:
    deal = market.funded()
    with refuses("AmountOutOfBounds", asked=price, atLeast=1, atMost=AMOUNT):
        buy(market, deal, offer(market, deal, price=price))


# Who may buy.


def test_a_named_financier_buys(market: World) -> None:
    deal = market.funded()
    buy(market, deal, offer(market, deal, financier=account("rival")), by="rival")
    assert market.state(deal).assignee == account("rival")


@pytest.mark.parametrize("caller", ["financier", "stranger", "buyer", "supplier"])
def test_nobody_else_takes_an_offer_with_a_name(market: World, caller: str) -> None:
    deal = market.funded()
    enrich(market, "supplier")
    with refuses("NotAuthorized", caller=account(caller), allowed=account("rival")):
        buy(market, deal, offer(market, deal, financier=account("rival")), by=caller)


@pytest.mark.parametrize("caller", ["arbiter", "inspector", "forwarder", "bank"])
def test_refuses_whoever_decides_about_the_money(market: World, caller: str) -> None:
    """Named in the offer or not."""
    deal = market.funded()
    enrich(market, caller)
    for named in (ZERO_ADDRESS, account(caller)):
        refused = refuses("RoleNotAllowed", role=bytes32("assignee"), account=account(caller))
        with refused:
            buy(market, deal, offer(market, deal, financier=named), by=caller)


def test_a_stranger_who_is_faster_pays_the_same_price(market: World) -> None:
    """An open offer is open: the payee has its price, the slower financier loses nothing."""
    deal = market.funded()
    offered = offer(market, deal)
    buy(market, deal, offered, by="stranger")
    before = market.balance("financier")
    with _outdated("handover", 0, 1):
        buy(market, deal, offered, by="financier")
    assert market.balance("financier") == before
    assert market.balance("supplier") == PRICE


def test_the_buyer_may_buy_and_then_pays_itself(market: World) -> None:
    """Paying early for a discount: it gives up the other side's consent to nothing."""
    deal = market.funded()
    before = market.balance("buyer")
    buy(market, deal, offer(market, deal), by="buyer")
    market.resolve(deal, 0, AMOUNT, by="buyer")
    assert market.balance("buyer") == before + AMOUNT - PRICE


def test_a_price_that_cannot_be_paid_changes_nothing(market: World) -> None:
    deal = market.funded()
    market.token.send("approve", market.escrow.address, PRICE - 1, by=account("financier"))
    with pytest.raises(Reverted):
        buy(market, deal, offer(market, deal))
    assert market.state(deal) == State(F)


@pytest.mark.parametrize("denied", ["supplier", "financier"])
def test_a_denylisted_side_stops_the_sale_and_nothing_else(market: World, denied: str) -> None:
    deal = market.funded()
    market.token.send("setDenylisted", account(denied), True)
    with pytest.raises(Reverted):
        buy(market, deal, offer(market, deal))
    assert market.state(deal) == State(F)
    market.attest(deal, deal.attestation())
    assert market.state(deal).status is Status.SETTLED


@pytest.mark.parametrize("mode", ["Silent", "AnswerHuge", "Expensive"])
def test_tokens_that_deliver_are_taken(world: World, mode: str) -> None:
    token = hostile_token(world)
    world.token = token
    enrich(world, "financier")
    deal = world.funded()
    behave(token, transfer_from=mode)
    buy(world, deal, offer(world, deal))
    assert world.balance("supplier") == PRICE


@pytest.mark.parametrize("mode", ["Refuse", "Deny", "AnswerTwo", "AnswerShort", "Revert"])
def test_tokens_that_do_not_say_yes_are_not(world: World, mode: str) -> None:
    token = hostile_token(world)
    world.token = token
    enrich(world, "financier")
    deal = world.funded()
    behave(token, transfer_from=mode)
    with pytest.raises((Refused, Reverted)):
        buy(world, deal, offer(world, deal))
    assert world.state(deal) == State(F)


# Signed by the payee.


@pytest.mark.parametrize("form", [bytes, compact], ids=["65 bytes", "64 bytes"])
def test_takes_both_lengths_of_signature(market: World, form: type) -> None:
    deal = market.funded()
    offered = offer(market, deal)
    signed = form(person("supplier").sign(offered.typed_data(market.domain)))
    buy(market, deal, offered, signature=signed)
    assert market.state(deal).assignee == account("financier")


def test_a_contract_wallet_sells_and_another_buys(market: World) -> None:
    seller = market.deploy("OwnedWallet", account("owner"), False)
    buyer_of_it = market.deploy("OwnedWallet", account("other owner"), False)
    enrich(market, buyer_of_it.address)
    deal = market.deal(supplier=seller.address)
    market.open(deal, 1, supplier=person("owner").sign(deal.typed_data))
    offered = offer(market, deal)
    signed = person("owner").sign(offered.typed_data(market.domain))
    buy(market, deal, offered, signature=signed, by=buyer_of_it.address)
    assert market.balance(seller.address) == PRICE
    assert market.state(deal).assignee == buyer_of_it.address


def test_an_account_with_delegated_code_still_sells_by_key(market: World) -> None:
    hostile = market.deploy("HostileWallet", 2)
    deal = market.funded()
    market.chain.set_code(account("supplier"), bytes.fromhex("ef0100" + hostile.address[2:]))
    buy(market, deal, offer(market, deal))
    assert market.state(deal).assignee == account("financier")


@pytest.mark.parametrize("caller", ["financier", "supplier"])
def test_refuses_an_offer_without_a_signature(market: World, caller: str) -> None:
    """The payee's, too, where the payee itself is the caller."""
    deal = market.funded()
    enrich(market, "supplier")
    with refuses("NotAuthorized", caller=account(caller), allowed=account("supplier")):
        buy(market, deal, offer(market, deal), signature=b"", by=caller)


ELSEWHERE: dict[str, Callable[[World, Offer], TypedData]] = {
    "chain": lambda w, o: o.typed_data(Domain(1, w.escrow.address)),
    "contract": lambda w, o: o.typed_data(Domain(CHAIN_ID, account("stranger"))),
    "agreement": lambda w, o: replace(o, agreement_id=b"\x99" * 32).typed_data(w.domain),
    "milestone": lambda w, o: replace(o, milestone=1).typed_data(w.domain),
    "financier": lambda w, o: replace(o, financier=account("financier")).typed_data(w.domain),
    "price": lambda w, o: replace(o, price=PRICE + 1).typed_data(w.domain),
    "held": lambda w, o: replace(o, held=o.held + 1).typed_data(w.domain),
    "epoch": lambda w, o: replace(o, epoch=1).typed_data(w.domain),
    "handover": lambda w, o: replace(o, handover=1).typed_data(w.domain),
    "validity": lambda w, o: replace(o, valid_until=FOREVER - 1).typed_data(w.domain),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_refuses_an_offer_that_differs_from_what_was_signed_in_its(
    market: World, what: str
) -> None:
    deal = market.funded(make_milestone(), make_milestone())
    offered = offer(market, deal)
    signed = person("supplier").sign(ELSEWHERE[what](market, offered))
    _refuses_signature(market, deal, offered, signed)


@pytest.mark.parametrize("signer", ["buyer", "financier", "arbiter", "stranger"])
def test_refuses_an_offer_by_anyone_but_the_payee(market: World, signer: str) -> None:
    deal = market.funded()
    offered = offer(market, deal)
    signed = person(signer).sign(offered.typed_data(market.domain))
    _refuses_signature(market, deal, offered, signed)


def test_refuses_the_malleable_twin_of_the_signature(market: World) -> None:
    deal = market.funded()
    offered = offer(market, deal)
    signed = malleable(person("supplier").sign(offered.typed_data(market.domain)))
    _refuses_signature(market, deal, offered, signed)


def test_an_assignment_is_no_offer(market: World) -> None:
    """A gift to a name is not a sale to anyone."""
    deal = market.funded()
    signed = person("supplier").sign(assignment(market, deal).typed_data(market.domain))
    _refuses_signature(market, deal, offer(market, deal), signed)


def _refuses_signature(world: World, deal: Deal, offered: Offer, signature: bytes) -> None:
    digest = offered.typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("supplier"), digest=digest):
        buy(world, deal, offered, signature=signature)


def test_the_same_offer_is_not_taken_for_another_milestone(market: World) -> None:
    deal = market.funded(make_milestone(), make_milestone())
    offered = offer(market, deal)
    digest = replace(offered, milestone=1).typed_data(market.domain).digest()
    with refuses("InvalidSignature", signer=account("supplier"), digest=digest):
        buy(market, deal, offered, index=1)


@pytest.mark.parametrize("late", [0, 1])
def test_an_offer_works_until_its_last_second(market: World, late: int) -> None:
    deal = market.funded()
    until = GENESIS + 50
    offered = offer(market, deal, valid_until=until)
    market.now = until + late
    expired = refuses("SignatureExpired", validUntil=until, nowAt=until + 1)
    with expired if late else nullcontext():
        buy(market, deal, offered)


def test_an_offer_that_outlives_the_milestone_buys_nothing(market: World) -> None:
    deal = market.funded()
    offered = offer(market, deal)
    market.now = DEADLINE
    with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
        buy(market, deal, offered)


def test_refuses_an_agreement_that_is_not_open(market: World) -> None:
    deal = market.deal()
    with refuses("AgreementNotOpen", agreementId=deal.id):
        buy(market, deal, Offer(deal.id, 0, ZERO_ADDRESS, PRICE, AMOUNT, 0, 0, FOREVER))


@pytest.mark.parametrize("status", Status)
def test_the_twin_agrees(market: World, status: Status) -> None:
    deal = reach(market, status)
    changes: tuple[dict[str, object], ...] = (
        {},
        {"price": 0},
        {"price": AMOUNT + 1},
        {"epoch": 9},
        {"financier": account("rival")},
        {"valid_until": GENESIS - 1},
    )
    for late, change, by in product((-1, 0), changes, ("financier", "rival")):
        here = branch(market)
        here.now = ENDS[status] + late
        offered = offer(here, deal, **change)
        agree(here, deal, partial(buy, here, deal, offered, by=by), _twin(here, deal, offered, by))


def _twin(world: World, deal: Deal, offered: Offer, by: str) -> Callable[[State], Transition]:
    who, contract = (account(by), world.now), world.escrow.address
    return lambda state: receivables.buy(
        deal.terms, deal.milestones[0], state, offered, *who, contract=contract
    )
