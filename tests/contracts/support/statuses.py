"""A milestone brought into each status, all within the first second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY, Milestone
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.world import World

OBJECTION = 2 * DAY
REVIEW = 14 * DAY
ARBITRATION = 30 * DAY

ENDS: dict[Status, int] = {
    Status.UNFUNDED: DEADLINE,
    Status.FUNDED: DEADLINE,
    Status.SUBMITTED: GENESIS + REVIEW,
    Status.RELEASE_PENDING: GENESIS + OBJECTION,
    Status.REFUND_PENDING: GENESIS + 3 * DAY,
    Status.DISPUTED_BEFORE_VERDICT: DEADLINE + ARBITRATION,
    Status.DISPUTED_OVER_VERDICT: GENESIS + ARBITRATION,
    Status.SETTLED: DEADLINE,
}
"""When each status ends that `reach` leads to."""


def reach(world: World, status: Status, *milestones: Milestone, **terms: Any) -> Deal:
    """An agreement whose first milestone has `status`; with an objection period of two days."""
    deal = world.deal(*milestones, **{"objection_period": OBJECTION, **terms})
    world.open(deal)
    if status is not Status.UNFUNDED:
        world.fund(deal, deal.all)
        _FROM_FUNDED[status](world, deal)
    assert world.state(deal).status is status
    return deal


def _stay(world: World, deal: Deal) -> None:
    """Funded is where it is."""


def _submit(world: World, deal: Deal) -> None:
    world.submit(deal)


def _accept(world: World, deal: Deal) -> None:
    world.attest(deal, deal.attestation(issued_at=GENESIS - 1))


def _reject(world: World, deal: Deal) -> None:
    world.attest(deal, deal.attestation(verdict=Verdict.REJECTED, issued_at=GENESIS - 1))


def _dispute(world: World, deal: Deal) -> None:
    world.dispute(deal, by="buyer" if deal.milestones[0].pays_on_silence else "supplier")


def _dispute_release(world: World, deal: Deal) -> None:
    _accept(world, deal)
    world.dispute(deal, by="buyer")


def _settle(world: World, deal: Deal) -> None:
    world.resolve(deal, AMOUNT, 0, by="buyer")


_FROM_FUNDED: dict[Status, Callable[[World, Deal], None]] = {
    Status.FUNDED: _stay,
    Status.SUBMITTED: _submit,
    Status.RELEASE_PENDING: _accept,
    Status.REFUND_PENDING: _reject,
    Status.DISPUTED_BEFORE_VERDICT: _dispute,
    Status.DISPUTED_OVER_VERDICT: _dispute_release,
    Status.SETTLED: _settle,
}
