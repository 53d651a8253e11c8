"""The way of a complete quorum to a final transaction, on a chain that behaves."""

from __future__ import annotations

from milestone_escrow.chain.structs import OpenedAgreement
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import World


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
