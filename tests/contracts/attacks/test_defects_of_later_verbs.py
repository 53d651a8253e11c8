"""The same defects, where batches, receivables, change orders and authorizations could have them.

The numbers are those of test_defects.py; 14 and 15 are of services, not of contracts.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils import keccak

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import State, Status
from tests.contracts.support.amendments import amend, amendment, revised, sign_amendment
from tests.contracts.support.batches import attest_batch, sign_batch
from tests.contracts.support.contract import Refused, bytes32, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, make_milestone
from tests.contracts.support.evm import GENESIS, Reverted
from tests.contracts.support.paying import (
    authorization,
    fund_with_authorization,
    multicall,
    permit_arguments,
    use_permit,
)
from tests.contracts.support.people import person
from tests.contracts.support.receivables import PRICE, assign, assignment, buy, enrich, offer
from tests.contracts.support.statuses import ARBITRATION, OBJECTION, reach
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account

F, S = Status.FUNDED, Status.SETTLED


def test_1_a_denylisted_account_stops_neither_batch_nor_change_order(world: World) -> None:
    deals = [world.funded(salt=salt) for salt in (1, 2)]
    assign(world, deals[0])
    for who in ("financier", "buyer"):
        world.token.send("setDenylisted", account(who), True)
    attest_batch(world, [(deal, deal.attestation()) for deal in deals])
    assert (world.credit("financier"), world.balance("supplier")) == (AMOUNT, AMOUNT)


def test_1_what_is_left_over_waits_for_a_denylisted_buyer(world: World) -> None:
    old = world.funded()
    world.token.send("setDenylisted", account("buyer"), True)
    amend(world, old, revised(old, make_milestone(amount=AMOUNT - 7)))
    assert world.credit("buyer") == 7
    world.token.send("setDenylisted", account("buyer"), False)
    world.withdraw("buyer")


@pytest.mark.parametrize("status", [Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING])
def test_2_an_assignee_who_is_silent_locks_nothing(world: World, status: Status) -> None:
    deal = reach(world, status)
    assign(world, deal)
    world.now = DEADLINE + ARBITRATION
    world.finalize(deal, by="stranger")
    assert world.state(deal).status is S
    assert world.balance(world.escrow.address) == 0


@pytest.mark.parametrize(
    "change", [{"fee_bps": 1_000}, {"arbiter": "0x" + "42" * 20}, {"objection_period": 1}, {}]
)
def test_3_no_new_term_can_be_swapped_after_one_side_has_signed_a_change_order(
    world: World, change: dict[str, object]
) -> None:
    """Nor, where nothing else changes, a new milestone."""
    old = world.funded()
    agreed = revised(old, fee_recipient=account("broker"))
    swapped = replace(
        agreed,
        terms=replace(agreed.terms, **change),  # type: ignore[arg-type]
        milestones=agreed.milestones if change else (make_milestone(quorum=1),),
    )
    signed = sign_amendment(world, old, amendment(old, agreed))
    digest = amendment(old, swapped).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("supplier"), digest=digest):
        amend(world, old, swapped, signatures=[b"", signed[1]], by="buyer")


def test_3_a_change_order_swaps_no_token(world: World) -> None:
    old = world.funded()
    worthless = hostile_token(world)
    with refuses("RoleNotAllowed", role=bytes32("token"), account=worthless.address):
        amend(world, old, revised(old, token=worthless.address))


def test_4_nobody_occupies_the_id_of_a_new_agreement(world: World) -> None:
    """An id is its terms; opened before, by whomever, it takes the change order all the same."""
    old = world.funded()
    new = revised(old)
    buyer, supplier = (person(who).sign(new.typed_data) for who in ("buyer", "supplier"))
    world.open(new, by="stranger", buyer=buyer, supplier=supplier)
    assert amend(world, old, new).answer == new.id
    assert world.state(new) == State(F)


def test_5_the_buyer_cannot_amend_away_what_was_certified(world: World) -> None:
    old = reach(world, Status.RELEASE_PENDING)
    new = revised(old)
    data = amendment(old, new).typed_data(world.domain)
    with refuses("NotAuthorized", caller=account("buyer"), allowed=account("supplier")):
        signed = [person("buyer").sign(data), b""]
        amend(world, old, new, signatures=signed, by="buyer")
    world.now = GENESIS + OBJECTION
    world.finalize(old)
    assert world.balance("supplier") == AMOUNT


def test_5_a_rejection_in_a_batch_does_not_end_the_milestone(world: World) -> None:
    deal = world.funded()
    bad = deal.attestation(verdict=Verdict.REJECTED, issued_at=GENESIS - 1)
    attest_batch(world, [(deal, bad)])
    world.attest(deal, deal.attestation())
    assert world.balance("supplier") == AMOUNT


def test_6_a_part_in_a_batch_is_compared_with_the_rest(world: World) -> None:
    """150 out of 100: two certificates of 75 % pay 75 %, not more."""
    deal = world.funded(make_milestone(amount=100), make_milestone(amount=100))
    first = [deal.attestation(amount=75, issued_at=GENESIS - at) for at in (2, 1)]
    outcome = attest_batch(world, [(deal, each) for each in first])
    assert outcome.names.count("AttestationSkipped") == 1
    assert world.balance("supplier") == 75
    with refuses("SplitOutOfBounds", asked=26, atLeast=1, atMost=25):
        world.resolve(deal, 26, 0, by="buyer")


def test_6_a_change_order_carries_the_rest_and_not_the_total(world: World) -> None:
    old = world.funded()
    world.resolve(old, 300, 200, by="buyer", payee=_settles(world, old, 300, 200))
    outcome = amend(world, old, revised(old, make_milestone(amount=AMOUNT - 500)))
    assert outcome.event("AgreementAmended")["carried"] == AMOUNT - 500
    assert world.balance(world.escrow.address) == AMOUNT - 500


def _settles(world: World, deal: object, to_payee: int, to_buyer: int) -> bytes:
    act = world.resolution(deal, to_payee, to_buyer)  # type: ignore[arg-type]
    return person("supplier").sign(act.typed_data(world.domain))


def test_7_consent_to_open_a_small_deal_does_not_amend_a_large_one(world: World) -> None:
    large = world.funded(make_milestone(amount=1_000 * AMOUNT))
    small = revised(large, make_milestone(amount=1))
    signed = [person(who).sign(small.typed_data) for who in ("buyer", "supplier")]
    digest = amendment(large, small).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=digest):
        amend(world, large, small, signatures=signed)
    assert world.state(large) == State(F)


def test_7_a_change_order_of_one_agreement_is_none_of_another(world: World) -> None:
    """The same new terms, the same milestones to close."""
    small, large = world.funded(salt=1), world.funded(make_milestone(amount=5 * AMOUNT), salt=2)
    new = revised(small)
    signed = sign_amendment(world, small, amendment(small, new))
    digest = amendment(large, new).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=digest):
        amend(world, large, new, signatures=signed)


def test_7_an_offer_and_an_assignment_work_in_one_agreement_and_once(world: World) -> None:
    enrich(world, "financier", "rival")
    deal, other = world.funded(salt=1), world.funded(salt=2)
    offered = offer(world, deal)
    with pytest.raises(Refused, match="InvalidSignature"):
        buy(world, other, offered)
    gift = person("supplier").sign(assignment(world, deal).typed_data(world.domain))
    with pytest.raises(Refused, match="InvalidSignature"):
        assign(world, other, signature=gift, by="stranger")
    buy(world, deal, offered)
    with pytest.raises(Refused, match="ChangedSince"):
        buy(world, deal, offered, by="rival")
    with pytest.raises(Refused, match="InvalidSignature"):
        assign(world, deal, signature=gift, by="stranger")


def test_7_an_authorization_works_for_one_agreement_and_once(world: World) -> None:
    deal, other = world.opened(salt=1), world.opened(salt=2)
    given = authorization(world, deal, 1)
    with pytest.raises(Reverted):
        fund_with_authorization(world, other, 1, given)
    fund_with_authorization(world, deal, 1, given)
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        fund_with_authorization(world, deal, 1, given)


def test_8_no_signer_counts_twice_in_a_batch(world: World) -> None:
    deal = world.funded()
    items = [(deal, deal.attestation())]
    (signed,) = sign_batch(world, items, 0b001)
    with pytest.raises(Refused, match="InvalidSignature"):
        attest_batch(world, items, 0b011, signatures=[signed, signed])


def test_8_one_party_does_not_consent_for_both(world: World) -> None:
    old = world.funded()
    data = amendment(old, revised(old)).typed_data(world.domain)
    twice = [person("buyer").sign(data)] * 2
    with refuses("InvalidSignature", signer=account("supplier"), digest=data.digest()):
        amend(world, old, revised(old), signatures=twice)


def test_9_contract_wallets_sell_buy_and_amend(world: World) -> None:
    wallets = {
        who: world.deploy("OwnedWallet", account(f"owner of {who}"), True).address
        for who in ("supplier", "financier")
    }

    def sign(who: str, digest: bytes) -> bytes:
        bound = keccak(bytes(12) + bytes.fromhex(wallets[who][2:]) + digest)
        return person(f"owner of {who}").sign(bytes(bound))

    enrich(world, wallets["financier"])
    old = world.deal(supplier=wallets["supplier"])
    world.open(old, 1, supplier=sign("supplier", old.id))
    offered = offer(world, old)
    digest = offered.typed_data(world.domain).digest()
    buy(world, old, offered, signature=sign("supplier", digest), by=wallets["financier"])
    assert world.balance(wallets["supplier"]) == PRICE

    order = amendment(old, revised(old)).typed_data(world.domain)
    signed = [person("buyer").sign(order), sign("supplier", order.digest())]
    with refuses("InvalidSignature", signer=wallets["financier"], digest=order.digest()):
        amend(world, old, revised(old), signatures=[*signed, signed[1]])
    signed.append(sign("financier", order.digest()))
    amend(world, old, revised(old), signatures=signed)
    assert world.state(old).status is S


def test_10_a_callback_in_an_authorization_funds_nothing_twice(world: World) -> None:
    liar = world.add_token(world.deploy("LyingToken"))
    deal = world.opened(make_milestone(), make_milestone(), token=liar.address)
    inner = world.escrow.data("fund", deal.abi_terms, deal.abi_milestones, 0b10)
    liar.send("callBack", world.escrow.address, inner)
    fund_with_authorization(world, deal, 0b01, signature=b"\x01" * 65)
    assert [state.status for state in world.states(deal)] == [F, Status.UNFUNDED]


def test_11_a_permit_that_was_front_run_does_not_stop_the_funding(world: World) -> None:
    world.token.send("approve", world.escrow.address, 0, by=account("buyer"))
    deal = world.opened()
    arguments = permit_arguments(world, "buyer", AMOUNT)
    use_permit(world, "buyer", arguments, by="stranger")
    fund = world.escrow.data("fund", deal.abi_terms, deal.abi_milestones, 1)
    multicall(world, world.escrow.data("permit", *arguments), fund)
    assert world.state(deal) == State(F)


def test_12_the_difference_of_a_change_order_is_booked_at_what_arrives(world: World) -> None:
    token = hostile_token(world)
    old = world.funded(token=token.address)
    behave(token, transfer_from="Tax")
    with refuses("InexactTransfer", asked=AMOUNT, received=AMOUNT - AMOUNT // 100):
        amend(world, old, revised(old, make_milestone(amount=2 * AMOUNT)), by="buyer")


@pytest.mark.parametrize("delivers", [0, 9_999, 10_001])
def test_12_an_authorization_is_booked_at_what_arrives(world: World, delivers: int) -> None:
    liar = world.add_token(world.deploy("LyingToken"))
    liar.send("behave", delivers, False)
    deal = world.opened(token=liar.address)
    with refuses("InexactTransfer", asked=AMOUNT, received=AMOUNT * delivers // 10_000):
        fund_with_authorization(world, deal, 1, signature=b"\x01" * 65)


def test_12_a_token_that_answers_nothing_pays_a_batch_once(world: World) -> None:
    token = hostile_token(world)
    deals = [world.funded(salt=salt, token=token.address) for salt in (1, 2)]
    behave(token, transfer="Silent")
    attest_batch(world, [(deal, deal.attestation()) for deal in deals])
    assert world.balance("supplier", token) == 2 * AMOUNT
    assert world.credit("supplier", token.address) == 0


@pytest.mark.parametrize("amount", [1, AMOUNT - 1, AMOUNT, AMOUNT + 1, 3 * AMOUNT])
def test_13_what_a_change_order_funds_is_the_sum_of_its_milestones(
    world: World, amount: int
) -> None:
    """Carried, pulled and returned add up to the last unit, whatever the new sum."""
    old = world.funded()
    before = world.balance("buyer")
    amend(world, old, revised(old, make_milestone(amount=amount)), by="buyer")
    assert world.balance(world.escrow.address) == amount
    assert before - world.balance("buyer") == amount - AMOUNT


def test_13_no_milestone_is_closed_twice(world: World) -> None:
    """Else its money would be carried twice."""
    old = world.funded(make_milestone(), make_milestone())
    amend(world, old, revised(old), closes=0b01)
    both = revised(old, make_milestone(amount=2 * AMOUNT), salt=77)
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111111):
        amend(world, old, both, closes=0b11)
