"""The way of a complete quorum to a final transaction, on a chain that behaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.settings import Relaying
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import World
from tests.support.nodes import Odd


def test_a_complete_quorum_pays_the_milestone(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    assert world.turn(relayer).moved == {"sent": 1}
    assert len(world.pool.waiting) == 1
    world.pool.mine()
    assert world.turn(relayer, 5).moved == {"mined": 1}
    assert world.status(deal, 0) is Status.SETTLED
    world.pool.empty(3)
    report = world.turn(relayer, 5)
    assert report.moved == {"final": 1}
    assert (report.live, report.alerts) == (0, ())
    assert world.stages() == ["final"]


def test_does_nothing_twice(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    for _ in range(5):
        world.turn(relayer, 1)
    assert len(world.attempts()) == 1
    assert len(world.pool.seen) == 1
    world.settle(relayer, 4)
    assert len(world.attempts()) == 1


def test_a_complete_quorum_is_on_its_way_after_two_questions(
    world: World, deal: OpenedAgreement
) -> None:
    node = Odd(world.pool)
    relayer = world.relayer(node=node)
    world.turn(relayer)
    world.complete(deal, 0)
    node.asked.clear()
    relayer.step()
    assert node.asked[:2] == ["eth_estimateGas", "eth_sendRawTransaction"]


def test_an_idle_relayer_hardly_asks(world: World) -> None:
    node = Odd(world.pool)
    relayer = world.relayer(node=node)
    relayer.step()
    node.asked.clear()
    for _ in range(20):
        world.now += 1
        relayer.step()
    assert len(node.asked) <= 12


def test_a_network_without_base_fees_gets_what_it_understands(
    world: World, deal: OpenedAgreement
) -> None:
    world.network = replace(world.network, fees="legacy")
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.tip *= 3
    world.pool.empty(3)
    world.turn(relayer, 30)
    world.pool.empty(3)
    world.turn(relayer, 61)
    first, second = world.attempts()
    assert first.price.legacy
    assert second.price.legacy
    assert second.max_fee * 10 >= first.max_fee * 11
    world.settle(relayer, 4)
    assert world.stages() == ["final"]


def test_settings_are_what_an_operator_wrote() -> None:
    section = Relaying(max_fee=1.5, bump_after="2 minutes", low_balance="0.5", batch=7)
    found = RelayingSettings.of(section)
    assert (found.max_fee, found.low_balance) == (1_500_000_000, 5 * 10**17)
    assert (found.replace_after, found.joined) == (120, 7)
    with pytest.raises(UsageError, match="which is no amount"):
        RelayingSettings.of(Relaying(low_balance="a lot"))
