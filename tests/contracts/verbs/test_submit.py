"""submit: the payee says that the milestone is done; silence of the buyer then pays it."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, EVIDENCE, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account

REVIEW = 14 * DAY


def test_starts_the_review_period(world: World) -> None:
    deal = world.funded()
    outcome = world.submit(deal)
    assert outcome.names == ["MilestoneSubmitted"]
    assert outcome.event("MilestoneSubmitted") == {
        "agreementId": deal.id,
        "milestone": 0,
        "payee": account("supplier"),
        "evidenceHash": EVIDENCE,
        "clock": GENESIS + REVIEW,
    }
    state = world.state(deal)
    assert (state.status, state.clock, state.epoch) == (
        Status.SUBMITTED,
        GENESIS + REVIEW,
        1,
    )


def test_pays_after_the_review_period(world: World) -> None:
    deal = world.funded()
    world.submit(deal)
    world.now = GENESIS + REVIEW
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT


def test_the_review_may_end_after_the_deadline(world: World) -> None:
    deal = world.funded()
    world.now = DEADLINE - 1
    world.submit(deal)
    world.now = DEADLINE
    with refuses("TooEarly", nowAt=DEADLINE, end=DEADLINE - 1 + REVIEW):
        world.finalize(deal)


def test_refuses_at_the_deadline(world: World) -> None:
    deal = world.funded()
    world.now = DEADLINE
    with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
        world.submit(deal)


def test_refuses_where_submissions_are_off(world: World) -> None:
    deal = world.funded(review_period=0)
    with refuses("SubmissionsOff"):
        world.submit(deal)


@pytest.mark.parametrize("caller", ["buyer", "arbiter", "inspector", "stranger"])
def test_refuses_whoever_is_not_the_payee(world: World, caller: str) -> None:
    deal = world.funded()
    with refuses("NotAuthorized", caller=account(caller), allowed=account("supplier")):
        world.submit(deal, by=caller)


def test_a_stranger_sends_the_payees_signature(world: World) -> None:
    deal = world.funded()
    signed = person("supplier").sign(world.submission(deal).typed_data(world.domain))
    outcome = world.submit(deal, signature=signed, by="stranger")
    assert outcome.event("MilestoneSubmitted")["payee"] == account("supplier")


def test_after_a_part_was_paid_only_the_rest_is_paid(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(amount=AMOUNT // 4))
    world.submit(deal)
    world.now = GENESIS + REVIEW
    outcome = world.finalize(deal)
    assert outcome.event("MilestonePaid")["toPayee"] == AMOUNT - AMOUNT // 4
    assert world.balance("supplier") == AMOUNT


def test_a_milestone_without_verifiers_lives_on_submissions(world: World) -> None:
    deal = world.funded(make_milestone(verifier_set=0, quorum=0), verifiers=())
    world.submit(deal)
    world.now = GENESIS + REVIEW
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT
