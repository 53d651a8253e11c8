"""rule: the arbiter splits what is held; a rest goes back to waiting for proof."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, REASON
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.statuses import ARBITRATION, reach
from tests.contracts.support.world import World, account

D0, D1 = Status.DISPUTED_BEFORE_VERDICT, Status.DISPUTED_OVER_VERDICT


@pytest.mark.parametrize("status", [D0, D1])
@pytest.mark.parametrize("to_payee", [0, 1, AMOUNT // 3, AMOUNT])
def test_splits_all_that_is_held(world: World, status: Status, to_payee: int) -> None:
    deal = reach(world, status)
    before = world.balance("buyer")
    outcome = world.rule(deal, to_payee, AMOUNT - to_payee)
    assert world.balance("supplier") == to_payee
    assert world.balance("buyer") - before == AMOUNT - to_payee
    assert world.state(deal).status is Status.SETTLED
    assert outcome.names == ["MilestoneRuled", "MilestonePaid"]
    assert outcome.event("MilestoneRuled") == {
        "agreementId": deal.id,
        "milestone": 0,
        "toPayee": to_payee,
        "toBuyer": AMOUNT - to_payee,
        "reasonHash": REASON,
    }
    assert outcome.event("MilestonePaid") == {
        "agreementId": deal.id,
        "milestone": 0,
        "payee": account("supplier"),
        "toPayee": to_payee,
        "fee": 0,
        "toBuyer": AMOUNT - to_payee,
    }


def test_takes_the_fee_out_of_the_payees_part_only(world: World) -> None:
    deal = reach(world, D0, fee_bps=1_000, fee_recipient=account("broker"))
    before = world.balance("buyer")
    world.rule(deal, 19, AMOUNT - 19)
    assert (world.balance("supplier"), world.balance("broker")) == (18, 1)
    assert world.balance("buyer") - before == AMOUNT - 19


@pytest.mark.parametrize("status", [D0, D1])
@pytest.mark.parametrize(
    ("to_payee", "to_buyer"), [(AMOUNT + 1, 0), (AMOUNT, 1), (1, AMOUNT), (0, 0), (AMOUNT - 1, 0)]
)
def test_splits_exactly_what_is_held(
    world: World, status: Status, to_payee: int, to_buyer: int
) -> None:
    deal = reach(world, status)
    asked = to_payee + to_buyer
    with refuses("SplitOutOfBounds", asked=asked, atLeast=AMOUNT, atMost=AMOUNT):
        world.rule(deal, to_payee, to_buyer)


def test_the_highest_numbers_do_not_wrap_around(world: World) -> None:
    deal = reach(world, D0)
    high = 2**128 - 1
    with refuses("SplitOutOfBounds", asked=2 * high, atLeast=AMOUNT, atMost=AMOUNT):
        world.rule(deal, high, high)


def test_splits_the_rest_and_not_the_total(world: World) -> None:
    deal = reach(world, Status.FUNDED, objection_period=0)
    world.attest(deal, deal.attestation(amount=400))
    world.dispute(deal, by="supplier")
    rest = AMOUNT - 400
    with refuses("SplitOutOfBounds", asked=AMOUNT, atLeast=rest, atMost=rest):
        world.rule(deal, AMOUNT, 0)
    world.rule(deal, rest, 0)
    assert world.balance("supplier") == AMOUNT


@pytest.mark.parametrize("caller", ["buyer", "supplier", "inspector", "stranger"])
def test_refuses_whoever_is_not_the_arbiter(world: World, caller: str) -> None:
    deal = reach(world, D0)
    with refuses("NotAuthorized", caller=account(caller), allowed=account("arbiter")):
        world.rule(deal, AMOUNT, 0, by=caller)


def test_a_stranger_sends_the_arbiters_signature(world: World) -> None:
    deal = reach(world, D0)
    act = world.ruling(deal, AMOUNT, 0, epoch=1).typed_data(world.domain)
    world.rule(deal, AMOUNT, 0, signature=person("arbiter").sign(act), by="stranger")
    assert world.balance("supplier") == AMOUNT


def test_refuses_a_split_that_the_arbiter_did_not_sign(world: World) -> None:
    deal = reach(world, D0)
    signed = person("arbiter").sign(world.ruling(deal, AMOUNT, 0).typed_data(world.domain))
    sent = world.ruling(deal, AMOUNT - 1, 1, epoch=1).typed_data(world.domain)
    with refuses("InvalidSignature", signer=account("arbiter"), digest=sent.digest()):
        world.rule(deal, AMOUNT - 1, 1, signature=signed, by="supplier")


def test_refuses_at_the_end_of_the_arbitration_period(world: World) -> None:
    deal = reach(world, D1)
    end = world.now = GENESIS + ARBITRATION
    with refuses("TooLate", nowAt=end, end=end):
        world.rule(deal, AMOUNT, 0)
