"""withdraw: what could not be pushed waits for its account, and anyone may send it on."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT
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
