"""A milestone cannot be worn out: at the end of its counters everybody still acts by calling.

Verifiers and parties advance the epoch of 16 bits, and a payee the handover of 8, by handing its
receivable to and fro. If a counter overflowed, what was signed long ago would count again; if it
refused, a payee could forbid the buyer's dispute and the verifiers' rejection.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest
from eth_abi import encode
from eth_utils import keccak

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import State, Status
from tests.contracts.support.amendments import amend, amendment, revised
from tests.contracts.support.contract import Refused, refuses
from tests.contracts.support.deal import AMOUNT, Deal, make_milestone
from tests.contracts.support.people import person
from tests.contracts.support.receivables import assign, assignment, buy, enrich, offer
from tests.contracts.support.statuses import OBJECTION
from tests.contracts.support.world import World, account, branch

LAST, LAST_HANDOVER = 2**16 - 1, 2**8 - 1
DETAILS = 3
"""Where the mapping of details stands; what it shows afterwards proves it."""


@pytest.fixture
def worn(world: World) -> Deal:
    """Two milestones, funded; the first has one change left before each counter ends."""
    deal = world.funded(make_milestone(), make_milestone(), objection_period=OBJECTION)
    assign(world, deal, to="supplier")
    _wear(world, deal, LAST - 1, LAST_HANDOVER - 1)
    return deal


def _wear(world: World, deal: Deal, epoch: int, handover: int) -> None:
    outer = keccak(encode(["bytes32", "uint256"], [deal.id, DETAILS]))
    slot = int.from_bytes(keccak(encode(["uint256", "bytes32"], [0, outer])), "big")
    word = world.chain.storage(world.escrow.address, slot)
    mask = (LAST_HANDOVER << 16 | LAST) << 224
    counters = (handover << 16 | epoch) << 224
    world.chain.set_storage(world.escrow.address, slot, word & ~mask | counters)
    assert (world.state(deal).epoch, world.state(deal).handover) == (epoch, handover)


def test_the_counters_go_to_their_end_and_stay(world: World, worn: Deal) -> None:
    for _ in range(3):
        assign(world, worn, to="supplier")
        assert world.state(worn).handover == LAST_HANDOVER
    for at in (1, 2, 3):
        world.attest(worn, worn.attestation(verdict=Verdict.REJECTED, issued_at=at))
        assert world.state(worn).epoch == LAST


def test_the_buyer_still_disputes(world: World, worn: Deal) -> None:
    world.submit(worn)
    world.dispute(worn, by="buyer")
    assert world.state(worn).status is Status.DISPUTED_BEFORE_VERDICT


def test_verifiers_still_reject_and_the_payee_disputes(world: World, worn: Deal) -> None:
    """An attestation is told from another by its time, not by the counter."""
    assign(world, worn, to="supplier")
    world.attest(worn, worn.attestation(verdict=Verdict.REJECTED))
    assert world.state(worn).status is Status.REFUND_PENDING
    world.dispute(worn, by="supplier")
    world.rule(worn, AMOUNT, 0)
    assert world.balance("supplier") == AMOUNT


def test_parts_are_still_paid(world: World, worn: Deal) -> None:
    for paid in (1, 2, 3):
        world.resolve(worn, 1, 0, by="buyer")
        assert world.balance("supplier") == paid


def test_no_change_order_counts_on_a_worn_epoch(world: World, worn: Deal) -> None:
    """Nobody could tell any more whether something was decided since; consent by call works."""
    _wear(world, worn, LAST, 0)
    new = revised(worn)
    order = amendment(worn, new, states=[State(Status.FUNDED, epoch=LAST - 1)] * 2)
    with pytest.raises(Refused, match="ChangedSince"):
        amend(world, worn, new, order=order)
    world.resolve(worn, AMOUNT, 0, by="buyer")
    assert world.balance("supplier") == AMOUNT


@pytest.mark.parametrize("spent", [0, 1])
def test_at_its_end_no_signature_could_be_told_from_an_older_one(
    world: World, worn: Deal, spent: int
) -> None:
    """The last number would stay for ever, and what was signed for it would work for ever."""
    epoch, handover = LAST - 1 + spent, LAST_HANDOVER - 1 + spent
    enrich(world, "financier")

    def works(who: str, caller: str = "stranger") -> AbstractContextManager[None]:
        if not spent:
            return nullcontext()
        return refuses("NotAuthorized", caller=account(caller), allowed=account(who))

    _wear(world, worn, epoch, 0)
    part = world.resolution(worn, 7, 0, epoch=epoch).typed_data(world.domain)
    with works("buyer"):
        world.resolve(worn, 7, 0, buyer=person("buyer").sign(part), by="stranger")
    _wear(world, worn, 0, handover)
    gift = assignment(world, worn, assignee=account("supplier")).typed_data(world.domain)
    with works("supplier"):
        signed = person("supplier").sign(gift)
        assign(world, worn, to="supplier", signature=signed, by="stranger")
    for counters in ((epoch, 0), (0, handover)):
        _wear(world, worn, *counters)
        here = branch(world)
        with works("supplier", "financier"):
            buy(here, worn, offer(here, worn, price=5))


def test_another_milestone_of_the_agreement_does_not_notice(world: World, worn: Deal) -> None:
    act = world.submission(worn, 1).typed_data(world.domain)
    world.submit(worn, 1, signature=person("supplier").sign(act), by="stranger")
    assert world.state(worn, 1).status is Status.SUBMITTED
