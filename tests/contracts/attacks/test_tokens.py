"""Tokens that misbehave harm whoever chose them, and nobody else's payout."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import Contract, Refused, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import Reverted
from tests.contracts.support.statuses import ARBITRATION
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account, branch

PAYS = ("Honest", "Silent", "AnswerHuge", "Expensive")
FAILS = ("Refuse", "Revert", "RevertHuge", "BurnGas")
MOVES_BUT_DENIES = ("Deny", "AnswerTwo", "AnswerShort")
NEEDED = 300_000 * 64 // 63 + 10_000


@pytest.fixture
def token(world: World) -> Contract:
    return hostile_token(world)


@pytest.mark.parametrize("mode", PAYS)
def test_a_push_is_paid_once_and_credited_never(world: World, token: Contract, mode: str) -> None:
    deal = world.funded(token=token.address)
    behave(token, transfer=mode)
    outcome = world.attest(deal, deal.attestation())
    assert world.balance("supplier", token) == AMOUNT
    assert world.credit("supplier", token.address) == 0
    assert "PayoutCredited" not in outcome.names


@pytest.mark.parametrize("mode", FAILS)
def test_a_push_that_fails_is_credited(world: World, token: Contract, mode: str) -> None:
    deal = world.funded(token=token.address)
    behave(token, transfer=mode)
    world.attest(deal, deal.attestation())
    assert world.state(deal).status is Status.SETTLED
    assert world.balance("supplier", token) == 0
    assert world.credit("supplier", token.address) == AMOUNT
    behave(token)
    world.withdraw("supplier", token=token.address)
    assert world.balance("supplier", token) == AMOUNT


@pytest.mark.parametrize("mode", MOVES_BUT_DENIES)
def test_a_token_that_moves_but_denies_is_believed(
    world: World, token: Contract, mode: str
) -> None:
    """It is credited and paid: such a token robs its own holders, here as everywhere."""
    deal = world.funded(token=token.address)
    behave(token, transfer=mode)
    world.attest(deal, deal.attestation())
    assert world.credit("supplier", token.address) == AMOUNT
    assert world.balance("supplier", token) == AMOUNT
    token.send("mint", world.escrow.address, AMOUNT)  # the books of such a token never balance


@pytest.mark.parametrize("mode", ["Honest", "Silent", "AnswerHuge", "Expensive"])
def test_funding_takes_tokens_that_deliver(world: World, token: Contract, mode: str) -> None:
    behave(token, transfer_from=mode)
    deal = world.funded(token=token.address)
    assert world.balance(world.escrow.address, token) == AMOUNT
    assert world.state(deal).status is Status.FUNDED


@pytest.mark.parametrize(
    "mode", ["Refuse", "Deny", "AnswerTwo", "AnswerShort", "Revert", "RevertHuge", "BurnGas"]
)
def test_funding_refuses_tokens_that_do_not_say_yes(
    world: World, token: Contract, mode: str
) -> None:
    deal = world.opened(token=token.address)
    behave(token, transfer_from=mode)
    with pytest.raises((Refused, Reverted)):
        world.fund(deal, 1, gas=1_000_000)
    assert world.state(deal).status is Status.UNFUNDED
    assert world.balance(world.escrow.address, token) == 0


def test_a_token_that_taxes_transfers_is_refused(world: World, token: Contract) -> None:
    deal = world.opened(token=token.address)
    behave(token, transfer_from="Tax")
    with refuses("InexactTransfer", asked=AMOUNT, received=AMOUNT - AMOUNT // 100):
        world.fund(deal, 1)


def test_a_tax_that_starts_later_falls_on_the_receiver(world: World, token: Contract) -> None:
    deal = world.funded(token=token.address)
    behave(token, transfer="Tax")
    world.attest(deal, deal.attestation())
    assert world.balance("supplier", token) == AMOUNT - AMOUNT // 100
    assert world.balance(world.escrow.address, token) == 0


def test_an_address_without_code_is_no_token(world: World) -> None:
    nobody = account("nobody")
    deal = world.deal(token=nobody)
    with refuses("TokenWithoutCode", token=nobody):
        world.open(deal, 1)


def test_a_token_that_vanishes_is_credited(world: World, token: Contract) -> None:
    """After a self-destruct a call succeeds with an empty answer; it is not a payment."""
    deal = world.funded(token=token.address)
    world.chain.set_code(token.address, b"")
    world.attest(deal, deal.attestation())
    assert world.credit("supplier", token.address) == AMOUNT
    del world.tokens[token.address]


@pytest.mark.parametrize("decimals", [0, 6, 18])
def test_decimals_do_not_matter(world: World, decimals: int) -> None:
    token = hostile_token(world, decimals)
    deal = world.funded(make_milestone(amount=10 ** (decimals + 3)), token=token.address)
    world.attest(deal, deal.attestation())
    assert world.balance("supplier", token) == 10 ** (decimals + 3)


@pytest.mark.parametrize("denied", ["supplier", "broker", "buyer"])
def test_one_denylisted_account_stops_nobody_else(world: World, denied: str) -> None:
    deal = world.funded(fee_bps=1_000, fee_recipient=account("broker"))
    world.dispute(deal, by="supplier")
    parts = {"supplier": AMOUNT * 54 // 100, "broker": AMOUNT * 6 // 100, "buyer": AMOUNT * 4 // 10}
    before = {name: world.balance(name) for name in parts}
    world.token.send("setDenylisted", account(denied), True)
    world.now = DEADLINE + ARBITRATION
    world.finalize(deal)
    for name, part in parts.items():
        assert world.balance(name) - before[name] == (0 if name == denied else part)
        assert world.credit(name) == (part if name == denied else 0)
    world.token.send("setDenylisted", account(denied), False)
    world.withdraw(denied)
    assert world.balance(denied) - before[denied] == parts[denied]
    assert world.balance(world.escrow.address) == 0


def test_a_paused_token_credits_everybody(world: World, token: Contract) -> None:
    deal = world.funded(token=token.address, fee_bps=1_000, fee_recipient=account("broker"))
    world.dispute(deal, by="supplier")
    behave(token, transfer="Revert")
    world.rule(deal, AMOUNT // 2, AMOUNT // 2)
    credited = [world.credit(who, token.address) for who in ("supplier", "broker", "buyer")]
    assert credited == [AMOUNT * 45 // 100, AMOUNT * 5 // 100, AMOUNT // 2]
    behave(token)
    for who in ("supplier", "broker", "buyer"):
        world.withdraw(who, token=token.address)
    assert world.balance(world.escrow.address, token) == 0


def test_a_denylisted_escrow_keeps_every_credit(world: World) -> None:
    deal = world.funded()
    world.token.send("setDenylisted", world.escrow.address, True)
    world.attest(deal, deal.attestation())
    assert world.credit("supplier") == AMOUNT
    world.token.send("setDenylisted", world.escrow.address, False)
    world.withdraw("supplier")
    assert world.balance("supplier") == AMOUNT


def test_a_deposit_to_a_denylisted_supplier_is_credited(world: World) -> None:
    deal = world.opened(make_milestone(deadline=0, pays_on_silence=True))
    world.token.send("setDenylisted", account("supplier"), True)
    world.fund(deal, 1)
    assert world.credit("supplier") == AMOUNT
    assert world.state(deal).status is Status.SETTLED


def test_two_tokens_keep_separate_books(world: World, token: Contract) -> None:
    first, second = world.funded(), world.funded(token=token.address)
    world.attest(first, first.attestation())
    assert world.balance(world.escrow.address, token) == AMOUNT
    assert world.balance("supplier", token) == 0
    world.attest(second, second.attestation())


@pytest.mark.parametrize("mode", ["BurnGas", "Revert"])
def test_too_little_gas_never_turns_a_payout_into_a_credit(
    world: World, token: Contract, mode: str
) -> None:
    """Whatever gas is sent: the milestone is settled with full gas for the push, or untouched."""
    deal = world.funded(token=token.address)
    behave(token, transfer=mode)
    for gas in range(80_000, 420_000, 10_000):
        attempt = branch(world)
        error = _refusal(attempt, deal, gas)
        if error is None:
            assert gas > NEEDED
            assert attempt.credit("supplier", token.address) == AMOUNT
        else:
            assert gas < NEEDED + 150_000
            assert attempt.chain.root == world.chain.root
    world.attest(deal, deal.attestation(), gas=500_000)
    assert world.credit("supplier", token.address) == AMOUNT


def _refusal(world: World, deal: Deal, gas: int) -> Exception | None:
    try:
        world.attest(deal, deal.attestation(), gas=gas)
    except (Refused, Reverted) as error:
        return error
    return None


def test_says_how_much_gas_a_failing_payout_needs(world: World) -> None:
    deal = world.funded()
    world.token.send("setDenylisted", account("supplier"), True)
    with pytest.raises(Refused, match="GasTooLow") as caught:
        world.resolve(deal, AMOUNT, 0, gas=300_000)
    assert caught.value.values["needed"] == NEEDED


def test_an_honest_push_needs_no_more_gas_than_it_uses(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(), gas=150_000)
    assert world.balance("supplier") == AMOUNT


def test_a_withdrawal_with_too_little_gas_keeps_the_credit(world: World, token: Contract) -> None:
    deal = world.funded(token=token.address)
    behave(token, transfer="Revert")
    world.attest(deal, deal.attestation())
    with pytest.raises(Refused, match="WithdrawalFailed"):
        world.withdraw("supplier", token=token.address, gas=200_000)
    assert world.credit("supplier", token.address) == AMOUNT


def test_a_huge_answer_costs_the_caller_nothing_extra(world: World, token: Contract) -> None:
    deal = world.funded(token=token.address)
    honest = world.attest(deal, deal.attestation(amount=1, issued_at=1)).gas
    behave(token, transfer="RevertHuge")
    world.attest(deal, deal.attestation(amount=2, issued_at=2), gas=NEEDED + 300_000)
    assert honest < 200_000
    assert world.credit("supplier", token.address) == 1
