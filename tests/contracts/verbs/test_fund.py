"""fund: anyone pays in unfunded milestones before their deadlines; a deposit goes on at once."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, make_milestone
from tests.contracts.support.evm import Reverted
from tests.contracts.support.world import World, account

DEPOSIT = make_milestone(amount=1_001, deadline=0, pays_on_silence=True)


def test_pulls_the_sum_and_marks_exactly_the_chosen(world: World) -> None:
    deal = world.opened(*[make_milestone(amount=10**i) for i in range(5)])
    before = world.balance("buyer")
    outcome = world.fund(deal, 0b10101)
    assert before - world.balance("buyer") == 10_101
    assert [state.status for state in world.states(deal)] == [1, 0, 1, 0, 1]
    assert outcome.names == ["MilestonesFunded"]
    assert outcome.event("MilestonesFunded") == {
        "agreementId": deal.id,
        "funder": account("buyer"),
        "milestones": 0b10101,
        "amount": 10_101,
    }


def test_a_stranger_may_fund_and_a_refund_goes_to_the_buyer(world: World) -> None:
    deal = world.opened()
    world.token.send("mint", account("stranger"), AMOUNT)
    world.token.send("approve", world.escrow.address, AMOUNT, by=account("stranger"))
    outcome = world.fund(deal, 1, by="stranger")
    assert outcome.event("MilestonesFunded")["funder"] == account("stranger")
    before = world.balance("buyer")
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("buyer") - before == AMOUNT
    assert world.balance("stranger") == 0


def test_funds_the_rest_later(world: World) -> None:
    deal = world.opened(make_milestone(), make_milestone())
    world.fund(deal, 0b01)
    world.fund(deal, 0b10)
    assert [state.status for state in world.states(deal)] == [1, 1]


def test_a_deposit_goes_on_to_the_supplier_at_once(world: World) -> None:
    deal = world.opened(DEPOSIT, make_milestone(), fee_bps=50, fee_recipient=account("broker"))
    outcome = world.fund(deal, 0b11)
    assert [state.status for state in world.states(deal)] == [Status.SETTLED, Status.FUNDED]
    assert world.balance("supplier") == 996
    assert world.balance("broker") == 5, "0.5 % of 1,001, rounded down"
    assert outcome.names == ["MilestonesFunded", "MilestonePaid"]
    assert outcome.event("MilestonePaid") == {
        "agreementId": deal.id,
        "milestone": 0,
        "payee": account("supplier"),
        "toPayee": 996,
        "fee": 5,
        "toBuyer": 0,
    }


def test_a_deposit_has_no_last_day(world: World) -> None:
    deal = world.opened(DEPOSIT)
    world.now = 2**32
    world.fund(deal, 1)
    assert world.balance("supplier") == 1_001


def test_several_deposits_are_each_paid(world: World) -> None:
    deal = world.opened(make_milestone(), DEPOSIT, make_milestone(), DEPOSIT)
    outcome = world.fund(deal, 0b1010)
    assert [e.values["milestone"] for e in outcome.events[1:]] == [1, 3]
    assert world.balance("supplier") == 2_002


def test_a_deposit_cannot_be_paid_twice(world: World) -> None:
    deal = world.opened(DEPOSIT)
    world.fund(deal, 1)
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1):
        world.fund(deal, 1)


def test_the_sixtieth_milestone_can_be_funded(world: World) -> None:
    deal = world.opened(*[make_milestone(amount=3)] * 60)
    world.fund(deal, 1 << 59)
    assert [state.status for state in world.states(deal)] == [0] * 59 + [1]


def test_refuses_a_milestone_that_is_funded_already(world: World) -> None:
    deal = world.opened(make_milestone(), make_milestone())
    world.fund(deal, 0b10)
    with refuses("WrongStatus", milestone=1, current=1, allowed=0b1):
        world.fund(deal, 0b11)


@pytest.mark.parametrize("chosen", [0, 0b100, 0b111, 2**60, 2**255, 2**256 - 1])
def test_refuses_none_and_unknown_milestones(world: World, chosen: int) -> None:
    deal = world.opened(make_milestone(), make_milestone())
    with refuses("UnknownMilestones", asked=chosen, count=2):
        world.fund(deal, chosen)


def test_refuses_an_agreement_that_is_not_open(world: World) -> None:
    deal = world.deal()
    with refuses("AgreementNotOpen", agreementId=deal.id):
        world.fund(deal, 1)


def test_funds_until_a_second_before_the_deadline(world: World) -> None:
    deal = world.opened()
    world.now = DEADLINE - 1
    world.fund(deal, 1)
    assert world.state(deal).status is Status.FUNDED


def test_refuses_at_the_deadline(world: World) -> None:
    deal = world.opened()
    world.now = DEADLINE
    with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
        world.fund(deal, 1)


def test_one_late_milestone_stops_the_whole_funding(world: World) -> None:
    deal = world.opened(make_milestone(), make_milestone(deadline=DEADLINE + 1))
    world.now = DEADLINE
    with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
        world.fund(deal, 0b11)
    world.fund(deal, 0b10)
    assert [state.status for state in world.states(deal)] == [0, 1]


def test_refuses_where_the_caller_has_not_approved_enough(world: World) -> None:
    deal = world.opened()
    world.token.send("approve", world.escrow.address, AMOUNT - 1, by=account("buyer"))
    with pytest.raises(Reverted):
        world.fund(deal, 1)
    assert world.state(deal).status is Status.UNFUNDED


def test_the_highest_amounts_add_up(world: World) -> None:
    """60 times the highest amount stays far from overflowing; nobody has that much."""
    deal = world.opened(*[make_milestone(amount=2**128 - 1)] * 60)
    with pytest.raises(Reverted):
        world.fund(deal, 2**60 - 1)
    world.token.send("mint", account("buyer"), 60 * 2**128)
    world.fund(deal, 2**60 - 1)
    assert world.balance(world.escrow.address) == 60 * (2**128 - 1)
