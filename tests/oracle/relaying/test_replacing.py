"""Gas: what is offered, when more is, and where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.errors import KeyFileError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import RELAYER, World

GWEI = 10**9


def test_what_waits_too_long_is_replaced_at_a_tenth_more(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.tip = 50 * GWEI  # no block takes it any more
    world.pool.mine()
    world.turn(relayer, 30)
    assert len(world.attempts()) == 1  # not yet: it may still come through
    world.pool.mine()
    world.pool.mine()
    world.turn(relayer, 31)
    first, second = world.attempts()
    assert first.nonce == second.nonce
    assert first.intent_id == second.intent_id
    assert second.max_fee * 10 >= first.max_fee * 11
    assert second.tip * 10 >= first.tip * 11
    assert second.max_fee >= second.tip == 50 * GWEI
    assert list(world.pool.waiting) == [second.name]
    world.settle(relayer, 4)
    assert world.stages() == ["final"]
    assert len(world.attempts()) == 2


def test_the_one_replaced_counts_too_when_it_is_mined(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    (first,) = world.attempts()
    world.pool.empty(3)
    world.turn(relayer, 30)
    world.pool.empty(3)
    world.turn(relayer, 61)
    assert len(world.attempts()) == 2
    world.pool.drop()
    world.pool.request("eth_sendRawTransaction", ["0x" + first.raw.hex()])
    world.pool.mine()
    world.turn(relayer, 5)
    mined = [one.name for one in world.attempts() if one.block]
    assert mined == [first.name]
    world.settle(relayer, 3)
    assert world.stages() == ["final"]
    assert len(set(world.pool.seen)) == 2


def test_above_the_ceiling_nothing_is_offered_and_somebody_is_told(
    world: World, deal: OpenedAgreement
) -> None:
    world.settings = replace(world.settings, max_fee=20 * GWEI)
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.tip = 50 * GWEI
    world.pool.empty(3)
    world.turn(relayer, 30)
    world.pool.empty(3)
    report = world.turn(relayer, 61)
    assert [alert.kind for alert in report.alerts] == ["gas_price"]
    assert "20 gwei" in report.alerts[0].text
    assert len(world.attempts()) == 1
    world.pool.tip = GWEI
    world.settle(relayer, 4)
    assert world.status(deal, 0) is Status.SETTLED


def test_nothing_new_is_begun_above_the_ceiling(world: World, deal: OpenedAgreement) -> None:
    world.settings = replace(world.settings, max_fee=20 * GWEI)
    world.pool.tip = 50 * GWEI
    world.complete(deal, 0)
    relayer = world.relayer()
    report = world.turn(relayer)
    assert [alert.kind for alert in report.alerts] == ["gas_price"]
    assert (world.stages(), world.attempts()) == (["pending"], [])
    world.pool.tip = GWEI
    world.turn(relayer, 20)
    assert world.stages() == ["sent"]


def test_offers_never_exceed_the_ceiling(world: World, deal: OpenedAgreement) -> None:
    base = int(world.escrow.chain.head.header.base_fee_per_gas)
    ceiling = base + GWEI + 1  # enough for now, but leaves no room for it to double
    world.settings = replace(world.settings, max_fee=ceiling)
    world.complete(deal, 0)
    world.turn(world.relayer())
    assert [one.max_fee for one in world.attempts()] == [ceiling]


def test_what_somebody_else_has_done_meanwhile_only_uses_up_its_nonce(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.tip = 50 * GWEI
    world.attest_by_hand(deal, 0)
    world.pool.empty(3)
    world.turn(relayer, 30)
    world.pool.empty(3)
    world.turn(relayer, 61)
    stuck, freeing = world.attempts()
    assert freeing.intent_id is None
    assert freeing.nonce == stuck.nonce
    assert freeing.gas < 30_000
    world.settle(relayer, 5)
    (intent,) = world.intents()
    assert (intent.stage.value, intent.reason) == ("dropped", "the milestone is settled")
    assert world.nonce() == 1


def test_a_signer_that_fails_stops_nothing_else(world: World, deal: OpenedAgreement) -> None:
    """A key that is elsewhere may not answer: what is signed goes on, and somebody is told."""

    class Elsewhere:
        answers = True
        address = DevSigner(RELAYER).address

        def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
            if not self.answers:
                raise KeyFileError("the key does not answer")
            return DevSigner(RELAYER).sign_transaction(transaction)

    signer = Elsewhere()
    relayer = world.relayer(signer=signer)
    world.complete(deal, 0)
    world.turn(relayer)
    signer.answers = False
    world.pool.tip = 50 * GWEI
    world.complete(deal, 1)
    for _ in range(3):
        world.pool.empty(2)
        report = world.turn(relayer, 31)
        assert "unsigned" in {alert.kind for alert in report.alerts}
    assert world.stages() == ["sent", "pending"]
    signer.answers = True
    world.settle(relayer, 6)
    assert world.stages() == ["final", "final"]


def test_what_a_node_has_forgotten_goes_out_again(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.drop()
    world.turn(relayer, 25)
    assert len(world.attempts()) == 1
    assert list(world.pool.waiting) == [world.attempts()[0].name]


def test_begins_nothing_that_the_balance_might_not_cover(
    world: World, deal: OpenedAgreement
) -> None:
    poor = 10**15
    world.settings = replace(world.settings, joined=1, low_balance=10**14)
    drain(world, RELAYER, poor)
    world.pool.tip = GWEI
    for milestone in range(3):
        world.complete(deal, milestone)
    relayer = world.relayer()
    report = world.turn(relayer)
    cost = sum(one.worst_cost for one in world.attempts())
    assert 0 < cost <= poor
    assert "pending" in world.stages()
    assert [alert.kind for alert in report.alerts] == ["low_gas"]
    refill(world, RELAYER)
    world.settle(relayer, 5)
    assert world.stages() == ["final"] * 3


def test_tells_before_the_gas_money_is_gone(world: World) -> None:
    drain(world, RELAYER, 10**16)
    report = world.turn(world.relayer())
    (alert,) = report.alerts
    assert alert.kind == "low_gas"
    assert "has 0.010000 ETH left for gas, less than 0.020000 ETH" in alert.text


def test_a_clock_that_is_set_back_stops_nothing(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.drop()
    world.now -= 3_600
    world.complete(deal, 1)
    world.pool.tip = 5 * GWEI
    world.turn(relayer)
    assert world.stages() == ["sent", "sent"]
    assert world.attempts()[-1].tip == 5 * GWEI  # the price is asked anew
    assert len(world.pool.waiting) == 2
    world.settle(relayer, 8)
    assert world.stages() == ["final", "final"]


def drain(world: World, number: int, rest: int) -> None:
    """Leave an account only so many wei."""
    key = DevSigner(number)
    asked = [key.address, "latest"]
    balance = int(world.pool.request("eth_getBalance", asked), 16)
    price = 5 * GWEI
    fields = {
        "chainId": world.network.chain_id,
        "nonce": world.nonce(number),
        "to": DevSigner(1).address,
        "value": balance - rest - 21_000 * price,
        "data": b"",
        "gas": 21_000,
        "type": 2,
        "maxFeePerGas": price,
        "maxPriorityFeePerGas": price,
    }
    world.pool.request("eth_sendRawTransaction", ["0x" + key.sign_transaction(fields).hex()])
    world.pool.mine()


def refill(world: World, number: int) -> None:
    """Give an account an ether."""
    to = bytes.fromhex(DevSigner(number).address[2:])
    world.escrow.chain.send_from(19, to, value=10**18)
    world.pool.empty()
