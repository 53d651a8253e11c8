"""What OpenZeppelin Relayer got wrong, each once here: #817, #818 and #843."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import RELAYER, World
from tests.support.nodes import Odd


class KilledError(BaseException):
    """The process ends here: nothing may catch it."""


def kill_at(moment: str) -> None:
    """The process dies when it comes to `moment`."""

    def hook(name: str) -> None:
        if name == moment:
            failpoints.set_hook(None)
            raise KilledError(moment)

    failpoints.set_hook(hook)


def test_empty_receipts_of_a_mined_transaction_do_not_fail_it(
    world: World, deal: OpenedAgreement
) -> None:
    """#817: a node that lags behind has counted the nonce, but finds no receipt yet."""
    world.complete(deal, 0)
    lagging = Odd(world.pool)
    relayer = world.relayer(node=lagging)
    world.turn(relayer)
    world.pool.mine()
    lagging.answers["eth_getTransactionReceipt"] = None
    for _ in range(2):
        world.pool.empty()
        world.turn(relayer, 5)
        assert world.stages() == ["sent"]
    del lagging.answers["eth_getTransactionReceipt"]
    assert world.turn(relayer, 5).moved == {"mined": 1}
    world.pool.empty(3)
    world.turn(relayer, 5)
    assert world.stages() == ["final"]


def test_empty_receipts_for_ever_end_in_what_is_true(world: World, deal: OpenedAgreement) -> None:
    """#817: not even a node that never finds it makes a payment that was made a failure."""
    world.complete(deal, 0)
    relayer = world.relayer(node=Odd(world.pool, eth_getTransactionReceipt=None))
    world.turn(relayer)
    world.pool.mine()
    for _ in range(8):
        world.pool.empty()
        world.turn(relayer, 5)
    (intent,) = world.intents()
    assert (intent.stage.value, intent.reason) == ("dropped", "the milestone is settled")
    assert len(world.pool.seen) == 1
    assert world.status(deal, 0) is Status.SETTLED


def test_nonces_that_were_given_out_and_lost_are_used_after_all(
    world: World, deal: OpenedAgreement
) -> None:
    """#818: the counter stands above the chain with nothing stored in between."""
    drifted = world.nonce() + 5
    relayer = world.relayer()
    world.turn(relayer)
    with world.store.transaction() as connection:
        connection.execute(update(t.nonces).values(next=drifted))
    world.pool.strict = True
    first = world.nonce()
    world.complete(deal, 0)
    world.settle(relayer, 6)
    assert world.status(deal, 0) is Status.SETTLED
    world.complete(deal, 1)
    world.settle(world.relayer(), 6)
    assert world.status(deal, 1) is Status.SETTLED
    assert sorted({one.nonce for one in world.attempts()})[:2] == [first, first + 1]
    assert world.stages() == ["final", "final"]


def test_a_hole_below_what_waits_is_filled(world: World, deal: OpenedAgreement) -> None:
    """#818: what was sent above the drift would wait for ever."""
    relayer = world.relayer()
    world.turn(relayer)
    first = world.nonce()
    with world.store.transaction() as connection:
        connection.execute(update(t.nonces).values(next=first + 3))
    world.complete(deal, 0)
    world.turn(relayer)  # holes are not known yet: it is sent above them
    assert [one.nonce for one in world.attempts() if one.intent_id] == [first + 3]
    world.settle(relayer, 8)
    fillers = [one for one in world.attempts() if one.intent_id is None]
    assert [one.nonce for one in fillers] == [first, first + 1, first + 2]
    assert world.status(deal, 0) is Status.SETTLED
    assert world.stages() == ["final"]


def test_the_counter_follows_the_chain_upwards(world: World, deal: OpenedAgreement) -> None:
    """#818, the other way: the account was used elsewhere while the relayer was off."""
    world.turn(world.relayer())
    for _ in range(3):
        world.foreign()
        world.pool.mine()
    world.complete(deal, 0)
    world.turn(world.relayer())
    (attempt,) = world.attempts()
    assert attempt.nonce == world.nonce() == 3


def test_a_region_full_of_what_was_never_broadcast_drains_in_order(
    world: World, deal: OpenedAgreement
) -> None:
    """#843: while the node could not be reached everything was signed, on a chain that takes no
    nonce but the next; `sent` in the store does not mean that any node has it."""
    world.pool.strict = True
    broken = Odd(world.pool, eth_sendRawTransaction=ChainError("no node answers"))
    relayer = world.relayer(node=broken, joined=1)
    for milestone in range(4):
        world.complete(deal, milestone)
        world.turn(relayer, 5)
    assert world.stages() == ["sent"] * 4
    assert world.pool.seen == []
    del broken.answers["eth_sendRawTransaction"]
    world.settle(relayer, 6)
    assert [world.status(deal, n) for n in range(4)] == [Status.SETTLED] * 4
    assert world.nonce() == 4
    assert world.stages() == ["final"] * 4


@pytest.mark.parametrize("moment", ["relay.signed", "relay.broadcast", "relay.recorded"])
def test_after_a_crash_the_same_bytes_go_out_again(
    world: World, deal: OpenedAgreement, moment: str
) -> None:
    """#843: a second transaction for the same thing is what a crash must not leave behind."""
    world.complete(deal, 0)
    kill_at(moment)
    with pytest.raises(KilledError):
        world.turn(world.relayer())
    for n in range(3):
        world.turn(world.relayer(owner=f"again {n}"), 30)
    assert len(world.attempts()) == 1
    assert len(set(world.pool.seen)) == 1
    assert world.pool.seen[0] == world.attempts()[0].raw
    world.settle(world.relayer(), 4)
    assert world.status(deal, 0) is Status.SETTLED


def test_a_reorganisation_after_mining_is_seen_and_mended(
    world: World, deal: OpenedAgreement
) -> None:
    """#843: a receipt was there once; that says nothing about now."""
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.mine()
    world.turn(relayer, 5)
    assert world.stages() == ["mined"]
    world.pool.keeps_undone = False
    world.pool.reorg(2)
    assert world.status(deal, 0) is Status.FUNDED
    assert world.turn(relayer, 5).moved == {"undone": 1}
    assert world.stages() == ["sent"]
    assert world.pool.seen[0] == world.pool.seen[-1]
    world.settle(relayer, 4)
    assert world.status(deal, 0) is Status.SETTLED
    assert world.nonce() == 1
    assert world.stages() == ["final"]


def test_a_nonce_used_by_something_else_is_taken_anew(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.pool.drop()
    world.foreign(RELAYER)
    world.pool.mine()
    for _ in range(2):
        world.turn(relayer, 5)
        assert world.stages() == ["sent"]  # not on one look, and not before it is deep
    world.settle(relayer, 8)
    assert [one.nonce for one in world.attempts()] == [0, 1]
    assert world.status(deal, 0) is Status.SETTLED
    assert world.stages() == ["final"]
    assert DevSigner(RELAYER).address == world.attempts()[0].sender
