"""Certificates of a part, honest and not: nobody loses the rest without a say, nobody gains it."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.statuses import ARBITRATION
from tests.contracts.support.world import World

PART = AMOUNT * 4 // 10
WEEK = 7 * DAY


def _payee_gets_the_rest_by_a_ruling(world: World, deal: Deal) -> None:
    """By objecting in the last second that is left."""
    state = world.state(deal)
    assert state.status is Status.FUNDED
    world.now = state.clock - 1
    world.dispute(deal, by="supplier")
    world.rule(deal, AMOUNT - state.paid, 0)
    assert world.balance("supplier") == AMOUNT


@pytest.mark.parametrize("issued", [GENESIS, DEADLINE - 6 * DAY], ids=["kept for weeks", "now"])
def test_one_unit_accepted_is_no_rejection_without_appeal(world: World, issued: int) -> None:
    deal = world.funded(objection_period=WEEK)
    world.now = DEADLINE - 6 * DAY
    world.attest(deal, deal.attestation(amount=1, issued_at=issued))
    world.now = DEADLINE + DAY
    world.finalize(deal)
    assert world.state(deal).clock == world.now + WEEK
    _payee_gets_the_rest_by_a_ruling(world, deal)


def test_one_unit_does_not_end_the_payees_case(world: World) -> None:
    deal = world.funded(objection_period=0)
    world.dispute(deal, by="supplier")
    world.now = DEADLINE
    world.attest(deal, deal.attestation(amount=1, issued_at=world.now))
    _payee_gets_the_rest_by_a_ruling(world, deal)


def test_one_unit_in_the_last_second_leaves_time_to_object(world: World) -> None:
    deal = world.funded(objection_period=0)
    world.now = DEADLINE - 1
    world.attest(deal, deal.attestation(amount=1, issued_at=world.now))
    with refuses("TooEarly", nowAt=DEADLINE + DAY, end=DEADLINE - 1 + 3 * DAY):
        world.now = DEADLINE + DAY
        world.finalize(deal)
    _payee_gets_the_rest_by_a_ruling(world, deal)


@pytest.mark.parametrize("amount", [PART, 1], ids=["honest", "sent by the payee in front"])
def test_a_progress_payment_pays_what_was_certified(world: World, amount: int) -> None:
    """Where nobody can rule, silence pays no more than that, and gives the rest back."""
    deal = world.funded(
        make_milestone(pays_on_silence=True), objection_period=WEEK, arbiter=ZERO_ADDRESS
    )
    signed = world.signatures(deal, deal.attestation(amount=amount), 0b011)
    world.now = DEADLINE - 6 * DAY
    world.attest(deal, deal.attestation(amount=amount), signatures=signed, by="supplier")
    before = world.balance("buyer")
    _silence(world, deal)
    assert (world.balance("supplier"), world.balance("buyer") - before) == (amount, AMOUNT - amount)


def test_a_certificate_does_not_turn_the_buyers_objection_round(world: World) -> None:
    deal = world.funded(
        make_milestone(pays_on_silence=True), objection_period=0, default_payee_bps=0
    )
    world.dispute(deal, by="buyer")
    world.now = DEADLINE
    world.attest(deal, deal.attestation(amount=PART, issued_at=world.now))
    _silence(world, deal)
    assert world.balance("supplier") == PART


def test_a_ruling_leaves_nothing_to_silence(world: World) -> None:
    deal = world.funded(make_milestone(pays_on_silence=True), default_payee_bps=0)
    world.dispute(deal, by="buyer")
    world.now = DEADLINE
    with refuses("SplitOutOfBounds", asked=AMOUNT // 2, atLeast=AMOUNT, atMost=AMOUNT):
        world.rule(deal, 0, AMOUNT // 2)


def test_a_silent_arbiter_leaves_what_was_certified(world: World) -> None:
    deal = world.funded(
        make_milestone(pays_on_silence=True), objection_period=WEEK, default_payee_bps=0
    )
    world.now = DEADLINE - 6 * DAY
    world.attest(deal, deal.attestation(amount=PART, issued_at=world.now))
    world.dispute(deal, by="buyer")
    _silence(world, deal)
    assert world.balance("supplier") == PART


def test_verifiers_hold_nothing_beyond_the_deadline(world: World) -> None:
    deal = world.funded(make_milestone(quorum=1), objection_period=WEEK, arbiter=ZERO_ADDRESS)
    world.now = DEADLINE - 1
    world.attest(deal, deal.attestation(issued_at=world.now), 0b001)
    world.now = DEADLINE
    again = deal.attestation(verdict=Verdict.REJECTED, issued_at=world.now)
    with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
        world.attest(deal, again, 0b001)


def test_a_submission_that_nobody_verifies_waits_for_the_arbiter_only(world: World) -> None:
    far = make_milestone(deadline=GENESIS + 20 * 366 * DAY, verifier_set=0, quorum=0)
    deal = world.funded(far)
    world.submit(deal)
    world.dispute(deal, by="buyer")
    assert world.state(deal).clock == GENESIS + ARBITRATION


def _silence(world: World, deal: Deal) -> None:
    """Time alone, from here to the end."""
    while (state := world.state(deal)).status is not Status.SETTLED:
        world.now = max(world.now, state.clock, deal.milestones[0].deadline)
        world.finalize(deal)
