"""withdraw: what could not be pushed waits for its account, and anyone may send it on."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account


def _deny(world: World, who: str, denied: bool = True) -> None:
    world.token.send("setDenylisted", account(who), denied)


def test_a_failed_push_is_credited(world: World) -> None:
    deal = world.funded()
    _deny(world, "supplier")
    outcome = world.attest(deal, deal.attestation())
    assert world.state(deal).status is Status.SETTLED
    assert world.credit("supplier") == AMOUNT
    assert outcome.names == ["MilestoneAttested", "MilestonePaid", "PayoutCredited"]
    assert outcome.event("PayoutCredited") == {
        "token": world.token.address,
        "account": account("supplier"),
        "amount": AMOUNT,
    }


@pytest.mark.parametrize("caller", ["supplier", "buyer", "stranger"])
def test_anyone_withdraws_to_the_account_itself(world: World, caller: str) -> None:
    deal = world.funded()
    _deny(world, "supplier")
    world.attest(deal, deal.attestation())
    _deny(world, "supplier", denied=False)
    before = world.balance(caller)
    outcome = world.withdraw("supplier", by=caller)
    assert outcome.answer == AMOUNT
    assert outcome.names == ["CreditWithdrawn"]
    assert outcome.event("CreditWithdrawn") == {
        "token": world.token.address,
        "account": account("supplier"),
        "amount": AMOUNT,
        "remaining": 0,
    }
    assert world.balance("supplier") == AMOUNT
    assert world.balance(caller) - before == (AMOUNT if caller == "supplier" else 0)
    assert world.credit("supplier") == 0


def test_credits_of_several_milestones_add_up(world: World) -> None:
    deal = world.funded(salt=1)
    other = world.funded(salt=2)
    _deny(world, "supplier")
    world.resolve(deal, 10, 0)
    world.resolve(other, 32, 0)
    assert world.credit("supplier") == 42
    _deny(world, "supplier", denied=False)
    world.withdraw("supplier")
    assert world.balance("supplier") == 42


def test_cannot_be_withdrawn_twice(world: World) -> None:
    deal = world.funded()
    _deny(world, "supplier")
    world.attest(deal, deal.attestation())
    _deny(world, "supplier", denied=False)
    world.withdraw("supplier")
    with refuses("NothingCredited", token=world.token.address, account=account("supplier")):
        world.withdraw("supplier")


def test_refuses_where_nothing_was_credited(world: World) -> None:
    with refuses("NothingCredited", token=world.token.address, account=account("buyer")):
        world.withdraw("buyer")


def test_a_withdrawal_that_still_fails_changes_nothing(world: World) -> None:
    deal = world.funded()
    _deny(world, "supplier")
    world.attest(deal, deal.attestation())
    with refuses(
        "WithdrawalFailed",
        token=world.token.address,
        account=account("supplier"),
        amount=AMOUNT,
    ):
        world.withdraw("supplier")
    assert world.credit("supplier") == AMOUNT


def test_a_credit_is_per_token(world: World) -> None:
    deal = world.funded()
    _deny(world, "supplier")
    world.attest(deal, deal.attestation())
    other = world.add_token(world.deploy("PlainToken"))
    with refuses("NothingCredited", token=other.address, account=account("supplier")):
        world.withdraw("supplier", token=other.address)


def test_a_part_is_paid_and_the_rest_goes_on_waiting(world: World) -> None:
    deal = world.funded()
    _deny(world, "supplier")
    world.attest(deal, deal.attestation())
    _deny(world, "supplier", denied=False)
    with refuses("AmountOutOfBounds", asked=0, atLeast=1, atMost=AMOUNT):
        world.withdraw("supplier", at_most=0)
    outcome = world.withdraw("supplier", at_most=40)
    assert outcome.answer == 40
    paid = outcome.event("CreditWithdrawn")
    assert (paid["amount"], paid["remaining"]) == (40, AMOUNT - 40)
    assert world.credit("supplier") == AMOUNT - 40
    # Somebody who withdraws a unit for it makes nobody's call fail.
    assert world.withdraw("supplier", at_most=1).answer == 1
    assert world.withdraw("supplier", at_most=AMOUNT).answer == AMOUNT - 41
    assert world.balance("supplier") == AMOUNT


def test_a_token_dearer_than_a_payout_comes_out_all_the_same(world: World) -> None:
    """Funding knows no bound of gas, so a withdrawal must not either."""
    token = hostile_token(world)
    deal = world.funded(token=token.address)
    behave(token, transfer="TooExpensive")
    world.attest(deal, deal.attestation())
    assert world.credit("supplier", token.address) == AMOUNT
    world.withdraw("supplier", token=token.address)
    assert world.balance("supplier", token) == AMOUNT
