"""A milestone cannot be worn out: at the end of its counter everybody still acts by calling.

Any change advances the counter of 24 bits, and a payee can make as many as it pays gas for, by
handing its receivable to and fro. If the counter overflowed, it could so forbid the buyer's dispute
and the verifiers' rejection.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest
from eth_abi import encode
from eth_utils import keccak

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.amendments import amend, amendment, revised
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, Deal, make_milestone
from tests.contracts.support.people import person
from tests.contracts.support.receivables import assign, assignment, buy, enrich, offer
from tests.contracts.support.statuses import OBJECTION
from tests.contracts.support.world import World, account

LAST = 2**24 - 1
DETAILS = 3
"""Where the mapping of details stands; what it shows afterwards proves it."""


@pytest.fixture
def worn(world: World) -> Deal:
    """Two milestones, funded; the first has one change left before the counter ends."""
    deal = world.funded(make_milestone(), make_milestone(), objection_period=OBJECTION)
    assign(world, deal, to="supplier")
    _wear(world, deal, LAST - 1)
    return deal


def _wear(world: World, deal: Deal, sequence: int) -> None:
    outer = keccak(encode(["bytes32", "uint256"], [deal.id, DETAILS]))
    slot = int.from_bytes(keccak(encode(["uint256", "bytes32"], [0, outer])), "big")
    word = world.chain.storage(world.escrow.address, slot)
    mask = LAST << 224
    world.chain.set_storage(world.escrow.address, slot, word & ~mask | sequence << 224)
    assert world.state(deal).sequence == sequence


def test_the_counter_goes_to_its_end_and_stays(world: World, worn: Deal) -> None:
    for _ in range(3):
        assign(world, worn, to="supplier")
        assert world.state(worn).sequence == LAST


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


def test_both_still_agree_on_a_change_order(world: World, worn: Deal) -> None:
    assign(world, worn, to="supplier")
    new = revised(worn)
    data = [person("buyer"), person("supplier"), person("supplier")]
    order = _order(worn, new)
    amend(world, worn, new, signatures=[who.sign(order) for who in data])
    assert world.state(new).status is Status.FUNDED


def _order(old: Deal, new: Deal) -> bytes:
    return amendment(old, new).typed_data(old.domain).digest()


@pytest.mark.parametrize("sequence", [LAST - 1, LAST])
def test_at_its_end_no_signature_could_be_told_from_an_older_one(
    world: World, worn: Deal, sequence: int
) -> None:
    """The last number would stay for ever, and what was signed for it would work for ever."""
    _wear(world, worn, sequence)
    enrich(world, "financier")

    def works(who: str, caller: str = "stranger") -> AbstractContextManager[None]:
        if sequence < LAST:
            return nullcontext()
        return refuses("NotAuthorized", caller=account(caller), allowed=account(who))

    part = world.resolution(worn, 7, 0, sequence=sequence).typed_data(world.domain)
    with works("buyer"):
        world.resolve(worn, 7, 0, buyer=person("buyer").sign(part), by="stranger")
    _wear(world, worn, sequence)
    gift = assignment(world, worn, assignee=account("supplier")).typed_data(world.domain)
    with works("supplier"):
        signed = person("supplier").sign(gift)
        assign(world, worn, to="supplier", signature=signed, by="stranger")
    _wear(world, worn, sequence)
    with works("supplier", "financier"):
        buy(world, worn, offer(world, worn, price=5))


def test_another_milestone_of_the_agreement_does_not_notice(world: World, worn: Deal) -> None:
    act = world.submission(worn, 1).typed_data(world.domain)
    world.submit(worn, 1, signature=person("supplier").sign(act), by="stranger")
    assert world.state(worn, 1).status is Status.SUBMITTED
