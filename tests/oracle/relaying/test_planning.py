"""What is to be done, worked out from the store alone."""

from __future__ import annotations

from sqlalchemy import update

from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.oracle.relaying.planning import Planned, plan
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import AMOUNT, World

LATE = 91 * 86_400


def planned(world: World, *, later: int = 0, joined: int = 10) -> Planned:
    with world.store.transaction() as connection:
        return plan(connection, world.escrow.now() + later, world.now, joined=joined)


def taken_part(world: World, deal: OpenedAgreement) -> None:
    """The agreement is known here: somebody has verified it, though without changing anything."""
    world.complete(deal, 3, verdict=Verdict.RETURNED)


def test_a_plan_is_made_once(world: World, deal: OpenedAgreement) -> None:
    digest = world.complete(deal, 0)
    assert planned(world).created == 1
    assert planned(world) == Planned()
    (intent,) = world.intents()
    assert (intent.key, intent.verb) == (f"attest:0x{digest.hex()}", "attest")
    assert (intent.agreement_id, intent.milestone) == (deal.id, 0)
    assert (intent.digests, intent.to) == ((digest,), world.escrow.contract)


def test_several_that_wait_go_into_one_transaction(world: World, deal: OpenedAgreement) -> None:
    digests = {world.complete(deal, n) for n in range(4)}
    assert planned(world, joined=3).created == 2
    joined, alone = world.intents()
    assert (len(joined.digests), len(alone.digests)) == (3, 1)
    assert {*joined.digests, *alone.digests} == digests
    assert planned(world, joined=3) == Planned()


def test_several_that_wait_are_paid_by_one_transaction(world: World, deal: OpenedAgreement) -> None:
    for n in range(4):
        world.complete(deal, n)
    relayer = world.relayer()
    world.settle(relayer, 4)
    assert [world.status(deal, n) for n in range(4)] == [Status.SETTLED] * 4
    assert (len(world.attempts()), world.stages()) == (1, ["final"])


def test_one_that_is_refused_does_not_hold_up_the_others(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0, signatures={deal.terms.verifiers[0]: b"\1" * 65})
    world.complete(deal, 1)
    world.complete(deal, 2)
    relayer = world.relayer()
    world.settle(relayer, 6)
    assert [world.status(deal, n) for n in (0, 1, 2)] == [
        Status.FUNDED,
        Status.SETTLED,
        Status.SETTLED,
    ]
    assert world.intents()[0].stage.value == "dropped"
    assert world.intents()[0].reason.startswith("sent one by one from now on")


def test_of_one_milestone_only_one_goes_into_a_transaction(
    world: World, deal: OpenedAgreement
) -> None:
    now = world.escrow.now()
    world.complete(deal, 0, amount=AMOUNT // 2, issued_at=now - 60)
    world.complete(deal, 0, issued_at=now)
    assert planned(world).created == 2
    relayer = world.relayer()
    world.settle(relayer, 8)
    assert world.status(deal, 0) is Status.SETTLED


def test_a_return_for_rework_is_never_sent(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0, verdict=Verdict.RETURNED)
    assert planned(world) == Planned()


def test_no_more_signatures_are_paid_for_than_the_quorum_asks(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0, signers=(3, 4))
    world.complete(deal, 1, signers=(4,))
    planned(world, joined=1)
    both, one = world.intents()
    assert len(both.data) == len(one.data)


def test_a_clock_that_ran_out_is_let_decide(world: World, deal: OpenedAgreement) -> None:
    taken_part(world, deal)
    assert planned(world, later=80 * 86_400).created == 0
    world.escrow.chain.skip(LATE)
    world.pool.empty()
    relayer = world.relayer()
    world.now += LATE
    world.settle(relayer, 5)
    assert [world.status(deal, n) for n in range(4)] == [Status.SETTLED] * 4
    assert world.stages() == ["final"] * 4
    assert world.intents()[0].key == f"finalize:0x{deal.id.hex()}:0:0/1"


def test_strangers_clocks_are_left_to_strangers(world: World, deal: OpenedAgreement) -> None:
    assert planned(world, later=LATE) == Planned()


def test_a_clock_on_the_wall_that_is_an_hour_ahead_ends_nothing(
    world: World, deal: OpenedAgreement
) -> None:
    taken_part(world, deal)
    world.complete(deal, 0, valid_for=1_800)
    world.now += 3_600
    relayer = world.relayer()
    world.turn(relayer)
    assert world.stages() == ["sent"]


def test_what_somebody_else_finalized_is_dropped(world: World, deal: OpenedAgreement) -> None:
    taken_part(world, deal)
    assert planned(world, later=LATE).created == 4
    with world.store.transaction() as connection:
        connection.execute(update(t.milestones).values(status=int(Status.SETTLED), next_at=None))
    assert planned(world, later=LATE).dropped == 4
    assert {intent.reason for intent in world.intents()} == {"the milestone is settled"}


def test_what_is_planned_and_ended_is_on_record(world: World, deal: OpenedAgreement) -> None:
    digest = world.complete(deal, 0)
    world.settle(world.relayer(), 4)
    subject = audit_log.subject_of(deal.id, 0)
    with world.store.reading() as connection:
        found = [e for e in audit_log.entries(connection, subject=subject) if e.actor == "relayer"]
        audit_log.verify(connection)
    assert [entry.action for entry in found] == [
        "intent.created",
        "transaction.broadcast",
        "intent.mined",
        "intent.final",
    ]
    assert {entry.data.get("key") for entry in found} == {f"attest:0x{digest.hex()}", None}
    assert found[1].data["transaction"] == found[2].data["transaction"]
