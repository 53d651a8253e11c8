"""The same on Anvil, whose mempool is a real one: it mines only when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import pytest

from milestone_escrow import Escrow
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.anvil import on_anvil
from tests.oracle.relaying.world import CONFIRMATIONS, World, opened
from tests.oracle.support.mempool import Mempool

GWEI = 10**9


@pytest.fixture(scope="module")
def escrow() -> Iterator[Escrow]:
    with on_anvil() as escrow:
        yield escrow


@pytest.mark.slow
def test_a_payment_survives_a_forgetful_node_a_price_rise_and_a_reorganisation(
    escrow: Escrow, open_store: Callable[..., Store]
) -> None:
    node = escrow.node
    deal = opened(escrow, count=1)
    store = open_store(domain=escrow.domain)
    world = World(escrow, cast(Mempool, node), store, escrow.network, node, escrow.now())
    node.request("evm_setAutomine", [False])
    relayer = world.relayer()
    world.complete(deal, 0)

    # Sent, forgotten, and sent again: the very same bytes.
    world.turn(relayer)
    (first,) = world.attempts()
    assert waiting(world) == [first.name]
    node.request("anvil_dropTransaction", [first.name])
    world.turn(relayer, 25)
    assert waiting(world) == [first.name]

    # No block takes it for what it offers: a better paid one takes its place.
    for seconds in (30, 61):
        node.request("anvil_setNextBlockBaseFeePerGas", [hex(20 * GWEI)])
        node.request("evm_mine")
        node.request("anvil_setNextBlockBaseFeePerGas", [hex(20 * GWEI)])
        node.request("evm_mine")
        world.turn(relayer, seconds)
    assert len(world.attempts()) == 2
    second = world.attempts()[1]
    assert waiting(world) == [second.name]
    assert second.nonce == first.nonce
    assert second.max_fee > 20 * GWEI

    # Mined, undone, and mined again.
    node.request("evm_mine")
    assert world.turn(relayer, 5).moved == {"mined": 1}
    node.request("anvil_reorg", [1, []])
    assert world.turn(relayer, 5).moved == {"undone": 1}
    assert waiting(world) == [second.name]
    node.request("evm_mine")
    assert world.turn(relayer, 5).moved == {"mined": 1}
    for _ in range(CONFIRMATIONS):
        node.request("evm_mine")
    assert world.turn(relayer, 5).moved == {"final": 1}
    assert world.status(deal, 0) is Status.SETTLED
    assert len(world.attempts()) == 2


def waiting(world: World) -> list[str]:
    """The hashes in Anvil's mempool."""
    content = world.pool.request("txpool_content")
    return [one["hash"] for each in content["pending"].values() for one in each.values()]
