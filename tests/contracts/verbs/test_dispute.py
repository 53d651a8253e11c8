"""dispute: a party objects to what is about to go against it, and only to that."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, REASON, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.statuses import ARBITRATION, OBJECTION, reach
from tests.contracts.support.world import World, account

D0, D1 = Status.DISPUTED_BEFORE_VERDICT, Status.DISPUTED_OVER_VERDICT


@pytest.mark.parametrize(
    ("status", "party", "leads_to", "clock"),
    [
        (Status.FUNDED, "supplier", D0, DEADLINE + ARBITRATION),
        (Status.SUBMITTED, "buyer", D0, DEADLINE + ARBITRATION),
        (Status.RELEASE_PENDING, "buyer", D1, GENESIS + ARBITRATION),
        (Status.REFUND_PENDING, "supplier", D1, GENESIS + ARBITRATION),
    ],
)
def test_starts_the_arbitration_period(
    world: World, status: Status, party: str, leads_to: Status, clock: int
) -> None:
    deal = reach(world, status)
    epoch = world.state(deal).epoch
    outcome = world.dispute(deal, by=party)
    assert outcome.names == ["MilestoneDisputed"]
    assert outcome.event("MilestoneDisputed") == {
        "agreementId": deal.id,
        "milestone": 0,
        "party": account(party),
        "reasonHash": REASON,
        "clock": clock,
    }
    state = world.state(deal)
    assert (state.status, state.clock, state.epoch) == (leads_to, clock, epoch + 1)


def test_after_the_deadline_the_arbiter_still_has_the_whole_period(world: World) -> None:
    deal = world.funded()
    world.now = DEADLINE - 1
    world.submit(deal)
    world.now = DEADLINE + 100
    world.dispute(deal, by="buyer")
    assert world.state(deal).clock == DEADLINE + 100 + ARBITRATION


def test_the_buyer_cannot_freeze_work_that_is_still_to_be_verified(world: World) -> None:
    deal = world.funded()
    with refuses("NotAuthorized", caller=account("buyer"), allowed=account("supplier")):
        world.dispute(deal, by="buyer")


def test_a_dispute_before_a_verdict_does_not_silence_the_verifiers(world: World) -> None:
    deal = reach(world, D0, objection_period=0)
    world.attest(deal, deal.attestation())
    assert world.balance("supplier") == AMOUNT


def test_a_dispute_over_a_verdict_keeps_what_the_verdict_said(world: World) -> None:
    deal = world.funded(objection_period=OBJECTION)
    world.attest(deal, deal.attestation(amount=400))
    world.dispute(deal, by="buyer")
    state = world.state(deal)
    assert (state.pending, state.issued_at) == (400, GENESIS)
    world.now = GENESIS + ARBITRATION
    world.finalize(deal)
    assert world.balance("supplier") == 400
    # It ended with the deadline, so it settles everything.
    assert world.state(deal).status is Status.SETTLED


def test_a_second_dispute_is_refused(world: World) -> None:
    deal = reach(world, D0)
    allowed = 0b11110  # Funded, Submitted, ReleasePending, RefundPending
    with refuses("WrongStatus", milestone=0, current=5, allowed=allowed):
        world.dispute(deal, by="supplier")


def test_a_stranger_sends_the_partys_signature(world: World) -> None:
    deal = world.funded()
    signed = person("supplier").sign(world.dispute_act(deal).typed_data(world.domain))
    outcome = world.dispute(deal, signature=signed, by="stranger")
    assert outcome.event("MilestoneDisputed")["party"] == account("supplier")


def test_the_wrong_partys_signature_is_refused(world: World) -> None:
    deal = world.funded()
    act = world.dispute_act(deal).typed_data(world.domain)
    with refuses("InvalidSignature", signer=account("supplier"), digest=act.digest()):
        world.dispute(deal, signature=person("buyer").sign(act), by="buyer")


def test_the_buyer_of_a_progress_payment_disputes_until_its_date(world: World) -> None:
    deal = reach(world, Status.FUNDED, make_milestone(pays_on_silence=True))
    world.now = DEADLINE - 1
    world.dispute(deal, by="buyer")
    assert world.state(deal).clock == DEADLINE + ARBITRATION
