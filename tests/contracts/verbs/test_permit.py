"""permit: uses the caller's ERC-2612 permit, and never fails where the allowance is there."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import Contract
from tests.contracts.support.deal import AMOUNT, Deal
from tests.contracts.support.evm import GENESIS, Reverted
from tests.contracts.support.paying import multicall, permit_arguments, use_permit
from tests.contracts.support.people import person
from tests.contracts.support.receivables import PRICE, abi_offer, offer
from tests.contracts.support.tokens import hostile_token
from tests.contracts.support.world import World, account

U, F = Status.UNFUNDED, Status.FUNDED


@pytest.fixture
def world(world: World) -> World:
    """Nothing is approved yet."""
    world.token.send("approve", world.escrow.address, 0, by=account("buyer"))
    return world


def _allowance(world: World, who: str = "buyer") -> int:
    return int(world.token.call("allowance", account(who), world.escrow.address))


def _permit_and_fund(world: World, deal: Deal, arguments: tuple[object, ...], by: str) -> None:
    fund = world.escrow.data("fund", deal.abi_terms, deal.abi_milestones, deal.all)
    multicall(world, world.escrow.data("permit", *arguments), fund, by=by)


def test_gives_the_escrow_the_callers_allowance(world: World) -> None:
    arguments = permit_arguments(world, "buyer", AMOUNT)
    outcome = world.escrow.send("permit", *arguments, by=account("buyer"))
    assert _allowance(world) == AMOUNT
    assert outcome.names == []


def test_permit_and_funding_are_one_transaction(world: World) -> None:
    deal = world.opened()
    _permit_and_fund(world, deal, permit_arguments(world, "buyer", AMOUNT), "buyer")
    assert world.state(deal).status is F
    assert _allowance(world) == 0


def test_a_permit_that_was_front_run_does_not_stop_the_funding(world: World) -> None:
    deal = world.opened()
    arguments = permit_arguments(world, "buyer", AMOUNT)
    use_permit(world, "buyer", arguments, by="stranger")
    _permit_and_fund(world, deal, arguments, "buyer")
    assert world.state(deal).status is F


def test_a_permit_that_fails_shows_in_the_funding(world: World) -> None:
    """Expired, and no allowance: the funding says so, and nothing changes."""
    deal = world.opened()
    arguments = permit_arguments(world, "buyer", AMOUNT, deadline=GENESIS - 1)
    world.escrow.send("permit", *arguments, by=account("buyer"))
    assert _allowance(world) == 0
    with pytest.raises(Reverted) as caught:
        _permit_and_fund(world, deal, arguments, "buyer")
    assert (
        caught.value.data[:4]
        == keccak(text="ERC20InsufficientAllowance(address,uint256,uint256)")[:4]
    )
    assert world.state(deal).status is U


@pytest.mark.parametrize("deadline", [GENESIS, GENESIS - 1])
def test_works_until_its_last_second(world: World, deadline: int) -> None:
    arguments = permit_arguments(world, "buyer", AMOUNT, deadline)
    world.escrow.send("permit", *arguments, by=account("buyer"))
    assert _allowance(world) == (AMOUNT if deadline == GENESIS else 0)


@pytest.mark.parametrize("caller", ["stranger", "supplier"])
def test_nobody_funds_with_the_permit_of_somebody_else(world: World, caller: str) -> None:
    """It speaks for the caller only, and tokens are pulled from the caller only."""
    deal = world.opened()
    arguments = permit_arguments(world, "buyer", AMOUNT)
    world.escrow.send("permit", *arguments, by=account(caller))
    assert _allowance(world) == _allowance(world, caller) == 0
    use_permit(world, "buyer", arguments, by=caller)
    with pytest.raises(Reverted):
        _permit_and_fund(world, deal, arguments, caller)
    assert world.state(deal).status is U


def test_refuses_silently_what_was_signed_by_another(world: World) -> None:
    token, value, deadline, *_ = permit_arguments(world, "buyer", AMOUNT)
    foreign = permit_arguments(world, "stranger", AMOUNT)[3:]
    world.escrow.send("permit", token, value, deadline, *foreign, by=account("buyer"))
    assert _allowance(world) == 0


def test_does_not_work_twice(world: World) -> None:
    arguments = permit_arguments(world, "buyer", AMOUNT)
    world.escrow.send("permit", *arguments, by=account("buyer"))
    world.token.send("approve", world.escrow.address, 0, by=account("buyer"))
    world.escrow.send("permit", *arguments, by=account("buyer"))
    assert _allowance(world) == 0


def test_a_token_without_permits_can_still_be_funded(world: World) -> None:
    """Where an approval is there, a permit too many does no harm."""
    token = hostile_token(world)
    deal = world.opened(token=token.address)
    _permit_and_fund(world, deal, (token.address, AMOUNT, 2**63, 27, b"", b""), "buyer")
    assert world.state(deal).status is F


def test_an_account_without_code_is_no_token_and_no_failure(world: World) -> None:
    nobody = account("nobody")
    world.escrow.send("permit", nobody, AMOUNT, 2**63, 27, b"", b"", by=account("buyer"))


@pytest.fixture
def liar(world: World) -> Contract:
    return world.add_token(world.deploy("LyingToken"))


def test_a_token_that_refuses_permits_leaves_the_allowance_as_it_is(
    world: World, liar: Contract
) -> None:
    liar.send("behave", 10_000, True)
    deal = world.opened(token=liar.address)
    _permit_and_fund(world, deal, (liar.address, 5, 2**63, 27, b"", b""), "buyer")
    assert world.state(deal).status is F


def test_a_token_that_calls_back_finds_every_verb_locked(world: World, liar: Contract) -> None:
    deal = world.opened(token=liar.address)
    inner = world.escrow.data("fund", deal.abi_terms, deal.abi_milestones, 1)
    liar.send("callBack", world.escrow.address, inner)
    world.escrow.send("permit", liar.address, 5, 2**63, 27, b"", b"", by=account("buyer"))
    assert not liar.call("reentered")
    assert liar.call("answer") == keccak(text="ReentrancyGuardReentrantCall()")[:4]
    assert world.state(deal).status is U


def test_the_permit_of_a_financier_pays_for_a_receivable(world: World) -> None:
    deal = world.opened()
    world.token.send("approve", world.escrow.address, AMOUNT, by=account("buyer"))
    world.fund(deal, 1)
    world.token.send("mint", account("financier"), PRICE)
    offered = offer(world, deal)
    signed = person("supplier").sign(offered.typed_data(world.domain))
    permit = world.escrow.data("permit", *permit_arguments(world, "financier", PRICE))
    sale = world.escrow.data(
        "buyReceivable", deal.abi_terms, deal.ref(0), abi_offer(offered), signed
    )
    multicall(world, permit, sale, by="financier")
    assert world.state(deal).assignee == account("financier")
    assert world.balance("supplier") == PRICE
