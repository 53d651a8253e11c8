"""multicall: several calls of one caller in one transaction, all or none."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, FOREVER, Deal, make_milestone
from tests.contracts.support.paying import authorization, multicall, token_domain
from tests.contracts.support.people import person
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account

F, S = Status.FUNDED, Status.SETTLED


def _finalize(world: World, deal: Deal, index: int) -> bytes:
    return world.escrow.data("finalize", deal.abi_terms, deal.ref(index))


def _fund(world: World, deal: Deal, chosen: int) -> bytes:
    return world.escrow.data("fund", deal.abi_terms, deal.abi_milestones, chosen)


def _approve(world: World, deal: Deal, index: int, to_payee: int, to_buyer: int = 0) -> bytes:
    rest = (to_payee, to_buyer, FOREVER, b"", b"")
    return world.escrow.data("resolve", deal.abi_terms, deal.ref(index), *rest)


def test_does_everything_in_order_and_answers_each(world: World) -> None:
    deal = world.deal(make_milestone(), make_milestone())
    supplier = person("supplier").sign(deal.typed_data)
    opening = ("open", deal.abi_terms, deal.abi_milestones, 0b01, b"", supplier)
    outcome = multicall(
        world,
        world.escrow.data(*opening),
        _fund(world, deal, 0b10),
        _approve(world, deal, 0, AMOUNT),
    )
    world.deals[deal.id] = deal
    assert outcome.names == [
        "AgreementOpened",
        "MilestonesFunded",
        "MilestonesFunded",
        "MilestoneResolved",
        "MilestonePaid",
    ]
    assert outcome.answer == (deal.id, b"", b"")
    assert [state.status for state in world.states(deal)] == [S, F]


def test_settles_all_that_fell_due(world: World) -> None:
    """The lock of each call is free again for the next."""
    deal = world.funded(*[make_milestone(pays_on_silence=True)] * 8)
    world.now = DEADLINE
    multicall(world, *[_finalize(world, deal, index) for index in range(8)], by="stranger")
    assert world.balance("supplier") == 8 * AMOUNT


def test_one_refusal_undoes_everything_and_is_told(world: World) -> None:
    deal = world.funded(make_milestone(), make_milestone(deadline=DEADLINE + 1))
    world.now = DEADLINE
    root = world.chain.root
    with refuses("TooEarly", nowAt=DEADLINE, end=DEADLINE + 1):
        multicall(world, _finalize(world, deal, 0), _finalize(world, deal, 1))
    assert world.chain.root == root


@pytest.mark.parametrize("caller", ["supplier", "stranger"])
def test_the_caller_stays_the_caller(world: World, caller: str) -> None:
    """Nobody becomes the contract, or somebody else, by calling through it."""
    deal = world.funded()
    with refuses("NotAuthorized", caller=account(caller), allowed=account("buyer")):
        multicall(world, _approve(world, deal, 0, AMOUNT), by=caller)


def test_money_comes_from_the_caller_once_for_each_call(world: World) -> None:
    deal = world.opened(make_milestone(), make_milestone())
    before = world.balance("buyer")
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        multicall(world, _fund(world, deal, 0b01), _fund(world, deal, 0b01))
    multicall(world, _fund(world, deal, 0b01), _fund(world, deal, 0b10))
    assert before - world.balance("buyer") == 2 * AMOUNT


def test_a_signature_is_used_once_however_it_is_called(world: World) -> None:
    deal = world.funded()
    act = world.resolution(deal, 400, 0).typed_data(world.domain)
    rest = (400, 0, FOREVER, person("buyer").sign(act), b"")
    call = world.escrow.data("resolve", deal.abi_terms, deal.ref(0), *rest)
    again = world.resolution(deal, 400, 0, held=AMOUNT - 400).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=again):
        multicall(world, call, call, by="stranger")
    multicall(world, call, by="stranger")
    assert world.balance("supplier") == 400


def test_a_credit_is_withdrawn_once(world: World) -> None:
    deal = world.funded()
    world.token.send("setDenylisted", account("supplier"), True)
    world.attest(deal, deal.attestation())
    world.token.send("setDenylisted", account("supplier"), False)
    call = world.escrow.data("withdraw", world.token.address, account("supplier"), AMOUNT)
    with refuses("NothingCredited", token=world.token.address, account=account("supplier")):
        multicall(world, call, call)
    multicall(world, call)
    assert world.balance("supplier") == AMOUNT


def test_calls_nest(world: World) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    inner = world.escrow.data("multicall", [_approve(world, deal, 0, AMOUNT)])
    multicall(world, inner, _approve(world, deal, 1, AMOUNT))
    assert world.balance("supplier") == 2 * AMOUNT


def test_nothing_to_do_is_done(world: World) -> None:
    outcome = multicall(world)
    assert (outcome.answer, outcome.events) == ((), ())


@pytest.mark.parametrize("data", ["", "12", "12345678", "00" * 100])
def test_refuses_calls_that_are_none(world: World, data: str) -> None:
    with refuses("FailedCall"):
        multicall(world, bytes.fromhex(data))


def test_views_answer_in_between(world: World) -> None:
    deal = world.opened()
    view = world.escrow.data("isOpen", deal.id)
    outcome = multicall(world, view, _fund(world, deal, 1))
    assert outcome.answer[0] == (1).to_bytes(32, "big")


def test_a_token_cannot_enter_through_it(world: World) -> None:
    token = hostile_token(world)
    deal = world.opened(make_milestone(), make_milestone(), token=token.address)
    world.fund(deal, 0b01)
    call = world.escrow.data("multicall", [_finalize(world, deal, 0), _fund(world, deal, 0b10)])
    token.send("callBack", world.escrow.address, call)
    behave(token, transfer="Reenter")
    world.attest(deal, deal.attestation(0))
    assert not token.call("reentered")
    assert token.call("answer") == keccak(text="ReentrancyGuardReentrantCall()")[:4]


def test_two_authorizations_fund_two_agreements_for_a_relayer(world: World) -> None:
    deals = [world.opened(salt=1), world.opened(salt=2)]
    calls = []
    for deal in deals:
        given = authorization(world, deal, 1)
        signed = person("buyer").sign(given.typed_data(token_domain(world.token)))
        values = (account("buyer"), given.valid_after, given.valid_before, signed)
        arguments = (deal.abi_terms, deal.abi_milestones, 1, values)
        calls.append(world.escrow.data("fundWithAuthorization", *arguments))
    multicall(world, *calls, by="stranger")
    assert [world.state(deal).status for deal in deals] == [F, F]
