"""resolve: money moves by the consent of whoever gives it up, at any time until the end."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, make_milestone
from tests.contracts.support.people import person
from tests.contracts.support.statuses import ENDS, reach
from tests.contracts.support.world import World, account

HOLDING = [status for status in Status if status.holds]
HALF = AMOUNT // 2


def _sign(world: World, who: str, *args: object, **changes: object) -> bytes:
    act = world.resolution(*args, **changes)  # type: ignore[arg-type]
    return person(who).sign(act.typed_data(world.domain))


def test_the_buyer_alone_approves(world: World) -> None:
    deal = world.funded()
    outcome = world.resolve(deal, AMOUNT, 0, by="buyer")
    assert world.balance("supplier") == AMOUNT
    assert outcome.names == ["MilestoneResolved", "MilestonePaid"]
    assert outcome.event("MilestoneResolved") == {
        "agreementId": deal.id,
        "milestone": 0,
        "toPayee": AMOUNT,
        "toBuyer": 0,
    }


def test_the_payee_alone_gives_back(world: World) -> None:
    deal = world.funded()
    before = world.balance("buyer")
    world.resolve(deal, 0, AMOUNT, by="supplier")
    assert world.balance("buyer") - before == AMOUNT
    assert world.state(deal).status is Status.SETTLED


@pytest.mark.parametrize(
    ("caller", "split", "missing"),
    [
        ("supplier", (AMOUNT, 0), "buyer"),
        ("supplier", (HALF, HALF), "buyer"),
        ("buyer", (0, AMOUNT), "supplier"),
        ("buyer", (HALF, HALF), "supplier"),
        ("stranger", (AMOUNT, 0), "buyer"),
        ("stranger", (0, AMOUNT), "supplier"),
        ("arbiter", (HALF, HALF), "buyer"),
    ],
)
def test_refuses_without_the_consent_of_whoever_gives_up(
    world: World, caller: str, split: tuple[int, int], missing: str
) -> None:
    deal = world.funded()
    with refuses("NotAuthorized", caller=account(caller), allowed=account(missing)):
        world.resolve(deal, *split, by=caller)


@pytest.mark.parametrize("status", HOLDING)
@pytest.mark.parametrize("late", [False, True])
def test_consent_works_in_every_status_and_past_every_end(
    world: World, status: Status, late: bool
) -> None:
    deal = reach(world, status)
    if late:
        world.now = ENDS[status] + 1
    epoch = world.state(deal).epoch
    signed = _sign(world, "supplier", deal, HALF, HALF, epoch=epoch)
    world.resolve(deal, HALF, HALF, payee=signed, by="buyer")
    assert world.balance("supplier") == HALF
    assert world.state(deal).status is Status.SETTLED


def test_a_stranger_sends_a_settlement_that_both_signed(world: World) -> None:
    deal = world.funded()
    buyer, payee = (_sign(world, who, deal, HALF, HALF) for who in ("buyer", "supplier"))
    world.resolve(deal, HALF, HALF, buyer=buyer, payee=payee, by="stranger")
    assert world.state(deal).status is Status.SETTLED


def test_refuses_the_two_signatures_swapped(world: World) -> None:
    deal = world.funded()
    act = world.resolution(deal, HALF, HALF).typed_data(world.domain)
    buyer, payee = person("buyer").sign(act), person("supplier").sign(act)
    with refuses("InvalidSignature", signer=account("buyer"), digest=act.digest()):
        world.resolve(deal, HALF, HALF, buyer=payee, payee=buyer, by="stranger")


def test_refuses_a_settlement_that_only_the_other_side_signed(world: World) -> None:
    deal = world.funded()
    buyer = _sign(world, "buyer", deal, HALF, HALF)
    with refuses("NotAuthorized", caller=account("stranger"), allowed=account("supplier")):
        world.resolve(deal, HALF, HALF, buyer=buyer, by="stranger")


def test_a_part_leaves_a_funded_milestone_funded(world: World) -> None:
    deal = world.funded()
    world.resolve(deal, 60, 0, by="buyer")
    world.resolve(deal, 0, 40, by="supplier")
    state = world.state(deal)
    assert (state.status, state.paid, state.epoch) == (Status.FUNDED, 100, 0)
    assert world.balance("supplier") == 60


def test_parts_settle_with_the_last_unit(world: World) -> None:
    deal = world.funded(make_milestone(amount=3))
    for _ in range(3):
        world.resolve(deal, 1, 0, by="buyer")
    assert world.state(deal).status is Status.SETTLED
    assert world.balance("supplier") == 3


@pytest.mark.parametrize("split", [(0, 0), (AMOUNT + 1, 0), (0, AMOUNT + 1), (AMOUNT, 1)])
def test_splits_at_least_something_and_at_most_what_is_held(
    world: World, split: tuple[int, int]
) -> None:
    deal = world.funded()
    with refuses("SplitOutOfBounds", asked=sum(split), atLeast=1, atMost=AMOUNT):
        world.resolve(deal, *split)


def test_splits_the_rest_and_not_the_total(world: World) -> None:
    deal = world.funded()
    world.resolve(deal, 1, 0)
    with refuses("SplitOutOfBounds", asked=AMOUNT, atLeast=1, atMost=AMOUNT - 1):
        world.resolve(deal, AMOUNT, 0)


def test_a_consent_to_a_part_dies_with_the_next_payment(world: World) -> None:
    """Without what was held then a stranger could send the same approval again and again."""
    deal = world.funded()
    signed = _sign(world, "buyer", deal, 10, 0)
    world.resolve(deal, 10, 0, buyer=signed, by="stranger")
    now_needed = world.resolution(deal, 10, 0).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=now_needed):
        world.resolve(deal, 10, 0, buyer=signed, by="stranger")


def test_takes_the_fee_out_of_the_payees_part(world: World) -> None:
    deal = world.funded(fee_bps=250, fee_recipient=account("broker"))
    world.resolve(deal, 999, 0)
    assert (world.balance("supplier"), world.balance("broker")) == (975, 24)


def test_no_fee_on_what_goes_back(world: World) -> None:
    deal = world.funded(fee_bps=1_000, fee_recipient=account("broker"))
    world.resolve(deal, 0, AMOUNT, by="supplier")
    assert world.balance("broker") == 0


def test_works_long_after_the_deadline(world: World) -> None:
    deal = world.funded()
    world.now = DEADLINE + 10**8
    world.resolve(deal, AMOUNT, 0)
    assert world.balance("supplier") == AMOUNT
