"""Races: two calls in one second, in either order; being first never robs the second.

The calls that meet are of different people, so both orders must end well for whoever did nothing
wrong: with what it agreed to, or with a refusal that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import State, Status
from tests.contracts.support.amendments import amend, amendment, revised, sign_amendment
from tests.contracts.support.batches import attest_batch, sign_batch
from tests.contracts.support.contract import Refused, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.paying import (
    authorization,
    fund_with_authorization,
    multicall,
    permit_arguments,
    use_permit,
)
from tests.contracts.support.people import person
from tests.contracts.support.receivables import PRICE, assign, assignment, buy, enrich, offer
from tests.contracts.support.statuses import ENDS, OBJECTION, reach
from tests.contracts.support.world import RICH, World, account, branch

U, F, S = Status.UNFUNDED, Status.FUNDED, Status.SETTLED
RP, D0 = Status.RELEASE_PENDING, Status.DISPUTED_BEFORE_VERDICT


# The clock: a second before the end belongs to people, the end to time.


def _accept(world: World, deal: Deal) -> object:
    return world.attest(deal, deal.attestation())


def _assign(world: World, deal: Deal) -> object:
    return assign(world, deal)


def _buy(world: World, deal: Deal) -> object:
    return buy(world, deal, offer(world, deal))


def _batch(world: World, deal: Deal) -> object:
    """A batch skips what comes too late, so here it must not."""
    outcome = attest_batch(world, [(deal, deal.attestation())])
    for event in outcome.events:
        if event.name == "AttestationSkipped":
            error = world.escrow.decode_error(event.values["reason"] + bytes(96))
            raise error or AssertionError("an unknown reason")
    return outcome


Act = Callable[[World, Deal], object]
ACTS: dict[str, Act] = {"assign": _assign, "buy": _buy, "attest": _accept, "batch": _batch}
ENDING = [(name, s) for name in ACTS for s in (F, Status.SUBMITTED, RP)]
ENDING += [(name, s) for name in ("attest", "batch") for s in (Status.REFUND_PENDING, D0)]


@pytest.mark.parametrize(("name", "status"), ENDING)
def test_no_second_has_two_winners(world: World, name: str, status: Status) -> None:
    enrich(world, "financier")
    deal = reach(world, status)
    end = ENDS[status]
    early, late = branch(world), branch(world)
    early.now, late.now = end - 1, end
    with refuses("TooEarly", nowAt=end - 1, end=end):
        early.finalize(deal)
    ACTS[name](early, deal)
    with pytest.raises(Refused, match="TooLate"):
        ACTS[name](late, deal)
    late.finalize(deal)
    assert late.state(deal).status is S


@pytest.mark.parametrize("status", [s for s in Status if s.holds])
def test_consent_works_in_the_second_in_which_time_decides(world: World, status: Status) -> None:
    """A change order and `finalize` at the end: whichever is first, the other is refused."""
    old = reach(world, status)
    new = revised(old, make_milestone(deadline=DEADLINE * 2 - GENESIS + 10**7))
    world.now = ENDS[status]
    order = amendment(old, new, states=world.states(old))
    signed = sign_amendment(world, old, order)
    first, second = branch(world), branch(world)
    amend(first, old, new, order=order, signatures=signed)
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111110):
        first.finalize(old)
    second.finalize(old)
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111111):
        amend(second, old, new, order=order, signatures=signed)
    for here in (first, second):
        has, owes = here.books(here.token.address)
        assert has == owes


# Opening and paying in.


def test_a_stranger_who_opens_first_stops_no_funding(world: World) -> None:
    deal = world.deal(make_milestone(), make_milestone())
    buyer, supplier = (person(who).sign(deal.typed_data) for who in ("buyer", "supplier"))
    world.open(deal, by="stranger", buyer=buyer, supplier=supplier)
    world.open(deal, 0b11, supplier=supplier)
    assert [state.status for state in world.states(deal)] == [F, F]


def test_a_stranger_who_opens_and_funds_first_spends_only_its_own(world: World) -> None:
    enrich(world, "stranger")
    deal = world.deal(make_milestone(), make_milestone())
    buyer, supplier = (person(who).sign(deal.typed_data) for who in ("buyer", "supplier"))
    world.open(deal, 0b01, by="stranger", buyer=buyer, supplier=supplier)
    world.open(deal, 0b11, supplier=supplier)
    assert [state.status for state in world.states(deal)] == [F, F]
    assert RICH - world.balance("buyer") == AMOUNT


def test_an_authorization_and_a_funding_of_the_same_milestone(world: World) -> None:
    """The slower one keeps its money, and its authorization stays unused."""
    enrich(world, "stranger")
    deal = world.opened()
    given = authorization(world, deal, 1)
    world.fund(deal, 1, by="stranger")
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        fund_with_authorization(world, deal, 1, given)
    assert world.balance("buyer") == RICH
    assert not world.token.call("authorizationState", account("buyer"), given.nonce)


def test_whoever_sends_the_authorization_first_does_what_was_signed(world: World) -> None:
    deal = world.opened()
    given = authorization(world, deal, 1)
    fund_with_authorization(world, deal, 1, given, by="stranger")
    assert world.state(deal).status is F
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        fund_with_authorization(world, deal, 1, given, by="buyer")
    assert RICH - world.balance("buyer") == AMOUNT


def test_a_permit_used_by_somebody_else_first_still_pays(world: World) -> None:
    world.token.send("approve", world.escrow.address, 0, by=account("buyer"))
    deal = world.deal()
    supplier = person("supplier").sign(deal.typed_data)
    arguments = permit_arguments(world, "buyer", AMOUNT)
    use_permit(world, "buyer", arguments, by="stranger")
    opening = ("open", deal.abi_terms, deal.abi_milestones, 1, b"", supplier)
    calls = (world.escrow.data("permit", *arguments), world.escrow.data(*opening))
    multicall(world, *calls)
    world.deals[deal.id] = deal
    assert world.state(deal) == State(F)


# Receivables.


@pytest.fixture
def market(world: World) -> World:
    enrich(world, "financier", "rival", "stranger")
    return world


FIRST: dict[str, Act] = {
    "a certificate in part": lambda w, d: w.attest(d, d.attestation(amount=400)),
    "a certificate in full": _accept,
    "a rejection": lambda w, d: w.attest(d, d.attestation(verdict=Verdict.REJECTED)),
    "an approval in part": lambda w, d: w.resolve(d, 400, 0, by="buyer"),
    "a gift back in part": lambda w, d: w.resolve(d, 0, 400, by="supplier"),
    "a submission": lambda w, d: w.submit(d),
    "a dispute": lambda w, d: w.dispute(d, by="supplier"),
    "an assignment": lambda w, d: assign(w, d, to="rival"),
    "another sale": lambda w, d: buy(w, d, offer(w, d), by="rival"),
    "a change order": lambda w, d: amend(w, d, revised(d)),
}


@pytest.mark.parametrize("first", FIRST)
def test_a_financier_who_comes_second_keeps_its_money(market: World, first: str) -> None:
    """Whatever a payee, verifier or buyer slips in before: nothing else is bought."""
    deal = market.funded()
    offered = offer(market, deal)
    FIRST[first](market, deal)
    if first in ("an approval in part", "a gift back in part"):
        buy(market, deal, offered)
        assert market.balance("financier") == RICH - (offered.price - 400), "what left came off"
        return
    with pytest.raises(Refused, match=r"^(ChangedSince|WrongStatus)"):
        buy(market, deal, offered)
    assert market.balance("financier") == RICH


@pytest.mark.parametrize("first", [name for name in FIRST if name != "another sale"])
def test_a_financier_who_comes_first_has_what_it_bought(market: World, first: str) -> None:
    """The supplier cannot act any more; the verifiers and the buyer now pay the financier."""
    deal = market.funded()
    act = FIRST[first]
    buy(market, deal, offer(market, deal))
    before = market.balance("financier")
    suppliers = ("a gift back in part", "a submission", "a dispute", "an assignment")
    if first in suppliers:
        with refuses("NotAuthorized", caller=account("supplier"), allowed=account("financier")):
            act(market, deal)
    elif first == "a change order":
        with refuses("NotAuthorized", caller=account("stranger"), allowed=account("financier")):
            new = revised(deal)
            data = amendment(deal, new).typed_data(market.domain)
            signed = [person(who).sign(data) for who in ("buyer", "supplier")]
            amend(market, deal, new, signatures=signed)
    else:
        act(market, deal)
        paid = {"a certificate in full": AMOUNT, "a rejection": 0}.get(first, 400)
        assert market.balance("financier") - before == paid
    assert market.balance("supplier") == PRICE


def test_of_two_financiers_the_first_buys(market: World) -> None:
    deal = market.funded()
    offered = offer(market, deal)
    buy(market, deal, offered, by="rival")
    with pytest.raises(Refused, match="ChangedSince"):
        buy(market, deal, offered, by="financier")
    assert (market.balance("rival"), market.balance("financier")) == (RICH - PRICE, RICH)


def test_a_named_offer_cannot_be_taken_by_the_faster(market: World) -> None:
    deal = market.funded()
    offered = offer(market, deal, financier=account("financier"))
    with refuses("NotAuthorized", caller=account("rival"), allowed=account("financier")):
        buy(market, deal, offered, by="rival")
    buy(market, deal, offered)
    assert market.state(deal).assignee == account("financier")


def test_two_assignments_signed_for_the_same_state_are_one(market: World) -> None:
    """A payee who sells twice sells once."""
    deal = market.funded()
    acts = {to: assignment(market, deal, assignee=account(to)) for to in ("financier", "rival")}
    signed = {
        to: person("supplier").sign(act.typed_data(market.domain)) for to, act in acts.items()
    }
    assign(market, deal, to="rival", signature=signed["rival"], by="stranger")
    with pytest.raises(Refused, match="InvalidSignature"):
        assign(market, deal, signature=signed["financier"], by="stranger")
    assert market.state(deal).assignee == account("rival")


def test_a_dispute_of_the_buyer_and_a_sale_in_one_second(market: World) -> None:
    """First the dispute: there is nothing to buy. First the sale: the risk was in the status."""
    deal = reach(market, RP)
    offered = offer(market, deal)
    disputed, sold = branch(market), branch(market)
    disputed.dispute(deal, by="buyer")
    with refuses("WrongStatus", milestone=0, current=6, allowed=0b1110):
        buy(disputed, deal, offered)
    buy(sold, deal, offered)
    sold.dispute(deal, by="buyer")
    with refuses("NotAuthorized", caller=account("supplier"), allowed=account("financier")):
        sold.resolve(deal, 0, AMOUNT, by="supplier")


# Batches.


@pytest.mark.parametrize("place", [0, 1, 2])
def test_who_decides_one_item_first_stops_no_other(world: World, place: int) -> None:
    """Anyone may send a quorum's single attestation before the batch, to make it fail in vain."""
    deals = [world.funded(salt=salt) for salt in (1, 2, 3)]
    items = [(deal, deal.attestation()) for deal in deals]
    signed = sign_batch(world, items)
    world.attest(deals[place], deals[place].attestation())
    outcome = attest_batch(world, items, signatures=signed)
    assert outcome.names.count("AttestationSkipped") == 1
    assert [world.state(deal).status for deal in deals] == [S, S, S]
    assert world.balance("supplier") == 3 * AMOUNT


def test_a_batch_and_a_dispute_in_one_second(world: World) -> None:
    """Before a verdict, an objection silences no verifier: the batch decides all the same."""
    deal = reach(world, Status.SUBMITTED, objection_period=0)
    world.dispute(deal, by="buyer")
    attest_batch(world, [(deal, deal.attestation())])
    assert world.balance("supplier") == AMOUNT


def test_an_assignee_is_paid_by_a_batch_that_was_signed_before_the_sale(world: World) -> None:
    """Attestations name milestones, not payees."""
    deals = [world.funded(salt=salt) for salt in (1, 2)]
    items = [(deal, deal.attestation()) for deal in deals]
    signed = sign_batch(world, items)
    assign(world, deals[1])
    attest_batch(world, items, signatures=signed)
    assert world.balance("supplier") == world.balance("financier") == AMOUNT


# Change orders.


def test_a_sale_before_the_change_order_asks_for_the_financiers_consent(market: World) -> None:
    """The supplier signed the change order, sold, and cannot take the financier's money back."""
    old = market.funded()
    new = revised(old)
    signed = sign_amendment(market, old, amendment(old, new))
    buy(market, old, offer(market, old))
    with refuses("NotAuthorized", caller=account("stranger"), allowed=account("financier")):
        amend(market, old, new, signatures=signed)
    consent = person("financier").sign(amendment(old, new).typed_data(market.domain))
    amend(market, old, new, signatures=[*signed, consent])
    assert market.state(old).status is S


def test_what_happens_first_makes_the_change_order_void(world: World) -> None:
    """Nobody's share changes unseen: neither what was decided, nor what was paid by consent."""
    old = world.funded(objection_period=OBJECTION)
    new = revised(old, make_milestone(amount=1))
    order = amendment(old, new)
    signed = sign_amendment(world, old, order)
    decided, paid = branch(world), branch(world)
    decided.attest(old, old.attestation())
    with refuses("ChangedSince", what=_name("epochs"), signed=0, present=1):
        amend(decided, old, new, order=order, signatures=signed)
    paid.resolve(old, 400, 0, by="buyer")
    with refuses("ChangedSince", what=_name("carried"), signed=AMOUNT, present=AMOUNT - 400):
        amend(paid, old, new, order=order, signatures=signed)
    outcome = amend(world, old, new, order=order, signatures=signed)
    assert outcome.event("AgreementAmended")["carried"] == AMOUNT


def _name(text: str) -> bytes:
    return text.encode().ljust(32, b"\0")


def test_a_full_certificate_before_the_change_order_wins(world: World) -> None:
    old = world.funded()
    new = revised(old)
    signed = sign_amendment(world, old, amendment(old, new))
    world.attest(old, old.attestation())
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111111):
        amend(world, old, new, order=amendment(old, new), signatures=signed)
    assert world.balance("supplier") == AMOUNT


def test_of_two_change_orders_one_closes_the_milestone(world: World) -> None:
    old = world.funded()
    versions = [revised(old, salt=salt) for salt in (7, 8)]
    signed = [sign_amendment(world, old, amendment(old, new)) for new in versions]
    amend(world, old, versions[0], signatures=signed[0])
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111111):
        amend(world, old, versions[1], order=amendment(old, versions[1]), signatures=signed[1])
    assert not world.escrow.call("isOpen", versions[1].id)


def test_a_stranger_who_funds_the_new_milestone_first_pays_for_nothing_of_the_buyers(
    world: World,
) -> None:
    """It delays the change order by a gift of the whole amount; all stays with the parties."""
    enrich(world, "stranger")
    old = world.funded()
    new = revised(old)
    signed = sign_amendment(world, old, amendment(old, new))
    world.open(new)
    world.fund(new, 1, by="stranger")
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        amend(world, old, new, signatures=signed)
    again = sign_amendment(world, old, amendment(old, new, funds=0))
    before = world.balance("buyer")
    amend(world, old, new, funds=0, signatures=again)
    assert world.balance("buyer") - before == AMOUNT
    assert world.state(new) == State(F)


def test_a_funding_before_the_change_order_is_carried_too(world: World) -> None:
    """Who funds what is about to be closed finds it in the new agreement or with the buyer."""
    enrich(world, "stranger")
    old = world.opened()
    new = revised(old)
    signed = sign_amendment(world, old, amendment(old, new))
    world.fund(old, 1, by="stranger")
    outcome = amend(world, old, new, signatures=signed)
    assert outcome.event("AgreementAmended")["carried"] == AMOUNT
    assert world.state(new) == State(F)


@pytest.mark.parametrize("seconds", [OBJECTION - 1, OBJECTION])
def test_a_dispute_against_a_pending_release_and_a_batch_of_others(
    world: World, seconds: int
) -> None:
    """Disputed in its last second, the item only says what stands if the arbiter is silent; a
    second later time has the say, and it is skipped."""
    deal, other = reach(world, RP), world.funded(salt=2)
    world.now = GENESIS + seconds
    if seconds < OBJECTION:
        world.dispute(deal, by="buyer")
    items = [(deal, deal.attestation()), (other, other.attestation())]
    outcome = attest_batch(world, items)
    assert world.state(other).status is S
    if seconds < OBJECTION:
        state = world.state(deal)
        assert (state.status, state.issued_at) == (Status.DISPUTED_OVER_VERDICT, GENESIS)
        return
    skipped = world.escrow.decode_error(outcome.event("AttestationSkipped")["reason"] + bytes(96))
    assert skipped is not None
    assert skipped.name == "TooLate"
