"""Nobody voids what another has signed by an act of its own about something else (P6)."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import Refused
from tests.contracts.support.deal import AMOUNT, DEADLINE, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.receivables import assign, buy, enrich, offer
from tests.contracts.support.statuses import OBJECTION, REVIEW, reach
from tests.contracts.support.world import World

F, SUB, RP = Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING


@pytest.mark.parametrize("status", [F, SUB, RP])
def test_3a_an_assignment_leaves_the_buyers_signed_dispute_valid(
    world: World, status: Status
) -> None:
    deal = reach(world, status, make_milestone(pays_on_silence=status is F))
    act = world.dispute_act(deal, epoch=world.state(deal).epoch).typed_data(world.domain)
    signed = person("buyer").sign(act)
    for _ in range(3):
        assign(world, deal, to="supplier", by="supplier")
    world.now = {F: DEADLINE, SUB: GENESIS + REVIEW, RP: GENESIS + OBJECTION}[status] - 1
    world.dispute(deal, signature=signed, by="stranger")
    assert world.state(deal).status in (
        Status.DISPUTED_BEFORE_VERDICT,
        Status.DISPUTED_OVER_VERDICT,
    )


def test_3b_a_unit_leaves_a_signed_submission_valid(world: World) -> None:
    deal = world.funded()
    signed = person("supplier").sign(world.submission(deal).typed_data(world.domain))
    for _ in range(3):
        world.resolve(deal, 1, 0, by="buyer")
    world.now = DEADLINE - 1
    world.submit(deal, signature=signed, by="stranger")
    world.now += REVIEW
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT


def test_3c_a_unit_vetoes_no_sale(world: World) -> None:
    enrich(world, "financier")
    deal = world.funded()
    offered = offer(world, deal, price=1_000)
    for _ in range(3):
        world.resolve(deal, 1, 0, by="buyer")
    outcome = buy(world, deal, offered)
    assert outcome.event("MilestoneAssigned")["price"] == 997
    assert world.balance("supplier") == 1_000


def test_10_the_payee_takes_its_offers_back_and_nothing_else(world: World) -> None:
    """By handing the payout to itself: what others have signed still counts."""
    enrich(world, "financier")
    deal = world.funded()
    offered = offer(world, deal)
    part = world.resolution(deal, 7, 0).typed_data(world.domain)
    assign(world, deal, to="supplier")
    with pytest.raises(Refused, match="ChangedSince"):
        buy(world, deal, offered)
    world.resolve(deal, 7, 0, buyer=person("buyer").sign(part), by="stranger")
    assert world.balance("supplier") == 7
