"""Several relayers on one store: work is shared, and taken over from those who died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import CONFIRMATIONS, OTHER_RELAYER, RELAYER, World
from tests.oracle.support.mempool import Mempool


class KilledError(BaseException):
    """The process ends here: nothing may catch it."""


@pytest.fixture
def shared(chain: Escrow, open_store: Callable[..., Store], postgres: str) -> World:
    """On PostgreSQL, where instances really meet."""
    pool = Mempool(chain.chain)
    network = replace(chain.network, confirmations=CONFIRMATIONS)
    store = open_store(postgres, chain.domain)
    world = World(chain, pool, store, network, pool, chain.now())
    world.settings = replace(world.settings, joined=1)
    world.follow()
    return world


def test_three_with_one_key_send_everything_once(shared: World, deal: OpenedAgreement) -> None:
    for milestone in range(4):
        shared.complete(deal, milestone)
    shared.follow()
    relayers = [shared.relayer(owner=f"instance {n}") for n in range(3)]
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for _ in range(4):
                relayers[number].step()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [one.nonce for one in shared.attempts()] == [0, 1, 2, 3]
    assert len({one.intent_id for one in shared.attempts()}) == 4
    shared.settle(relayers[0], 4)
    assert [shared.status(deal, n) for n in range(4)] == [Status.SETTLED] * 4
    assert shared.stages() == ["final"] * 4


def test_what_a_dead_instance_has_claimed_is_taken_over(
    shared: World, deal: OpenedAgreement
) -> None:
    shared.complete(deal, 0)
    _die_at(shared, "relay.claimed", RELAYER)
    living = shared.relayer(owner="living")
    shared.turn(living, 1)
    assert shared.stages() == ["pending"]  # it may still be alive
    shared.turn(living, 61)
    assert shared.stages() == ["sent"]
    assert len(shared.attempts()) == 1


def test_what_a_dead_instance_has_signed_is_sent_with_its_own_bytes(
    shared: World, deal: OpenedAgreement
) -> None:
    """Another key's relayer brings it through, though it could not have signed it."""
    shared.complete(deal, 0)
    _die_at(shared, "relay.signed", RELAYER)
    assert shared.pool.seen == []
    living = shared.relayer(OTHER_RELAYER, "living")
    for _ in range(4):
        shared.turn(living, 40)
        shared.pool.mine()
    shared.pool.empty(3)
    shared.turn(living, 40)
    assert shared.status(deal, 0) is Status.SETTLED
    (attempt,) = shared.attempts()
    assert attempt.sender == DevSigner(RELAYER).address
    assert set(shared.pool.seen) == {attempt.raw}
    assert shared.stages() == ["final"]


def test_what_a_dead_instance_cannot_pay_for_is_sent_by_another(
    shared: World, deal: OpenedAgreement
) -> None:
    shared.complete(deal, 0)
    _die_at(shared, "relay.signed", RELAYER)
    living = shared.relayer(OTHER_RELAYER, "living")
    shared.pool.tip = 50 * 10**9  # what is signed offers too little for ever
    for _ in range(16):
        shared.turn(living, 100)
        shared.pool.mine()
    assert shared.status(deal, 0) is Status.SETTLED
    senders = [one.sender for one in shared.attempts()]
    assert sorted(senders) == sorted(DevSigner(n).address for n in (RELAYER, OTHER_RELAYER))
    assert shared.stages() == ["final"]


def _die_at(world: World, moment: str, number: int) -> None:
    numbers = count()

    def hook(name: str) -> None:
        if name == moment and next(numbers) == 0:
            raise KilledError

    failpoints.set_hook(hook)
    with pytest.raises(KilledError):
        world.turn(world.relayer(number, "dead"))
    failpoints.set_hook(None)
