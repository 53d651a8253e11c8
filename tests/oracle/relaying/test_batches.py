"""Batches on their way to the chain: one transaction for all that they can still decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import update

from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.relaying.planning import plan
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.batch_intake import take_batch
from milestone_escrow.oracle.signing.batch_json import MAX_ITEMS, BatchItem, BatchPost
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Attestation, batch_typed_data
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import INSPECTOR, World, opened

SETTLED, FUNDED = Status.SETTLED, Status.FUNDED


def signed(
    world: World,
    items: Sequence[tuple[OpenedAgreement, int]],
    *,
    by: Sequence[int] = (INSPECTOR,),
    **changes: int,
) -> tuple[Attestation, ...]:
    """A quorum has signed all of it, and the oracle has it."""
    attestations = tuple(
        replace(world.escrow.attestation(agreement, milestone), **changes)
        for agreement, milestone in sorted(items, key=lambda item: (item[0].id, item[1]))
    )
    data = batch_typed_data(world.escrow.domain, attestations)
    post = BatchPost(
        tuple(BatchItem(one, {}) for one in attestations),
        {DevSigner(n).address: DevSigner(n).sign_typed_data(data) for n in by},
    )
    outcome = take_batch(world.store, world.escrow.domain, post, world.escrow.now())
    assert outcome.is_complete, outcome.reason
    return attestations


def statuses(world: World, deal: OpenedAgreement, *milestones: int) -> list[Status]:
    return [world.status(deal, n) for n in milestones]


def test_a_complete_batch_is_one_transaction(world: World, deal: OpenedAgreement) -> None:
    other = opened(world.escrow, salt=2)
    world.follow()
    signed(world, [(deal, 0), (deal, 1), (other, 2)])
    relayer = world.relayer()
    assert world.turn(relayer).moved == {"sent": 1}
    world.settle(relayer, 4)
    assert statuses(world, deal, 0, 1, 2) == [SETTLED, SETTLED, FUNDED]
    assert statuses(world, other, 2) == [SETTLED]
    assert world.stages() == ["final"]
    (intent,) = world.intents()
    assert (intent.verb, len(intent.digests), intent.is_joined) == ("attest", 3, False)
    assert intent.data[:4] == batch_selector(world)
    assert world.turn(relayer, 60).planned.created == 0


def batch_selector(world: World) -> bytes:
    from milestone_escrow.chain.contract.codec import interface
    from milestone_escrow.chain.contract.reader import CONTRACT

    return interface(CONTRACT).call("attestBatch", [], 0, [])[:4]


def test_what_is_decided_meanwhile_is_no_failure(world: World, deal: OpenedAgreement) -> None:
    signed(world, [(deal, 0), (deal, 1)])
    world.follow()
    world.attest_by_hand(deal, 0)
    relayer = world.relayer()
    relayer.step()  # the indexer has not looked yet
    world.settle(relayer, 4)
    assert statuses(world, deal, 0, 1) == [SETTLED, SETTLED]
    assert world.stages() == ["final"]
    assert world.turn(relayer, 60).alerts == ()


def test_nothing_is_sent_where_the_contract_would_skip_all_of_it(
    world: World, deal: OpenedAgreement
) -> None:
    signed(world, [(deal, 0), (deal, 1)])
    world.follow()
    for milestone in (0, 1):
        world.attest_by_hand(deal, milestone)
    relayer = world.relayer()
    relayer.step()
    assert world.stages() == ["dropped"]
    assert world.attempts() == []
    for _ in range(3):
        world.turn(relayer, 100)
    assert world.stages() == ["dropped"]


def test_an_item_with_a_quorum_of_its_own_goes_with_its_batch(
    world: World, deal: OpenedAgreement
) -> None:
    first, _ = signed(world, [(deal, 0), (deal, 1)])
    inspector = DevSigner(INSPECTOR)
    signature = inspector.sign_typed_data(first.typed_data(world.escrow.domain))
    alone = Post(first, {inspector.address: signature})
    take_many(world.store, world.escrow.domain, [alone], world.escrow.now())
    relayer = world.relayer()
    world.settle(relayer, 4)
    assert statuses(world, deal, 0, 1) == [SETTLED, SETTLED]
    assert len(world.intents()) == len(world.attempts()) == 1


def test_batches_that_overlap_bring_about_everything(world: World, deal: OpenedAgreement) -> None:
    signed(world, [(deal, 0), (deal, 1)])
    signed(world, [(deal, 1), (deal, 2)])
    world.settle(world.relayer(), 6)
    assert statuses(world, deal, 0, 1, 2) == [SETTLED] * 3
    assert set(world.stages()) <= {"final", "dropped"}


def test_one_that_must_wait_for_its_moment_lets_the_others_wait(
    world: World, deal: OpenedAgreement
) -> None:
    early = world.escrow.now() + 100
    signed(world, [(deal, 0), (deal, 1)], issued_at=early, valid_until=early + 86_400)
    with world.store.transaction() as connection:
        assert plan(connection, early - 1, world.now).created == 0
        assert plan(connection, early, world.now).created == 1
        assert plan(connection, early, world.now).created == 0


def test_what_was_skipped_and_can_be_decided_again_is_sent_again(
    world: World, deal: OpenedAgreement
) -> None:
    signed(world, [(deal, 0), (deal, 1)])
    now = world.escrow.now()
    with world.store.transaction() as connection:
        plan(connection, now, world.now)
        # The contract has skipped all of it, say over a dispute that is ruled on since.
        connection.execute(update(t.intents).values(state="final"))
        assert plan(connection, now, world.now).created == 1
        assert plan(connection, now, world.now).created == 0
    first, second = world.intents()
    assert (first.key[:-1], first.data) == (second.key[:-1], second.data)
    assert (first.key[-2:], second.key[-2:]) == (":0", ":1")


def test_a_signature_that_the_contract_refuses_is_told(world: World, deal: OpenedAgreement) -> None:
    signed(world, [(deal, 0), (deal, 1)])
    with world.store.transaction() as connection:
        connection.execute(update(t.batch_signatures).values(signature=b"\1" * 65))
    relayer = world.relayer(tries=1)
    (alert,) = world.turn(relayer).alerts
    assert (alert.kind, world.stages()) == ("failed", ["failed"])


@pytest.mark.parametrize(
    "moment", ["relay.claimed", "relay.simulated", "relay.signed", "relay.broadcast"]
)
def test_a_relayer_that_dies_leaves_nothing_undone_and_nothing_done_twice(
    world: World, deal: OpenedAgreement, moment: str
) -> None:
    class KilledError(BaseException):
        """The process ends here."""

    numbers = count()

    def hook(name: str) -> None:
        if name == moment and next(numbers) == 0:
            raise KilledError

    signed(world, [(deal, 0), (deal, 1)])
    failpoints.set_hook(hook)
    try:
        with pytest.raises(KilledError):
            world.turn(world.relayer(owner="dead"))
    finally:
        failpoints.set_hook(None)
    world.settle(world.relayer(owner="living"), 6)
    assert statuses(world, deal, 0, 1) == [SETTLED, SETTLED]
    assert world.stages() == ["final"]
    assert len({attempt.nonce for attempt in world.attempts()}) == 1


@pytest.mark.slow
def test_the_largest_batch_fits_into_one_transaction(world: World) -> None:
    half = MAX_ITEMS // 2
    large = [opened(world.escrow, count=half, salt=salt) for salt in (3, 4)]
    world.follow()
    signed(world, [(deal, n) for deal in large for n in range(half)])
    world.settle(world.relayer(), 4)
    assert [statuses(world, deal, *range(half)) for deal in large] == [[SETTLED] * half] * 2
    (attempt,) = world.attempts()
    assert attempt.gas < 4_000_000
    assert len(attempt.raw) < 128 * 1024
