"""amend: a change order closes milestones and carries their money into new terms."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.amendment import Amendment, close
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.amendments import amend, amendment, revised, sign_amendment
from tests.contracts.support.contract import Outcome, Refused, bytes32, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import GENESIS, Reverted
from tests.contracts.support.people import person
from tests.contracts.support.receivables import enrich
from tests.contracts.support.statuses import ENDS, OBJECTION, reach
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import RICH, World, account, branch

U, F, S = Status.UNFUNDED, Status.FUNDED, Status.SETTLED
CLOSABLE = 0b1111111
"""Every status but Settled, as `WrongStatus` names them."""

DEPOSIT = make_milestone(amount=1_001, deadline=0, pays_on_silence=True)


def test_moves_what_is_held_to_the_new_agreement(world: World) -> None:
    old = world.funded()
    new = revised(old)
    before = {name: world.balance(name) for name in ("buyer", "supplier")}
    outcome = amend(world, old, new)
    assert outcome.answer == new.id
    assert world.state(old) == State(S)
    assert world.state(new) == State(F)
    assert {name: world.balance(name) for name in before} == before
    assert world.token.events(outcome.receipt) == ()
    assert outcome.names == ["AgreementOpened", "AgreementAmended", "MilestonesFunded"]
    assert outcome.event("AgreementAmended") == {
        "replaces": old.id,
        "agreementId": new.id,
        "closes": 1,
        "carried": AMOUNT,
    }
    assert outcome.event("MilestonesFunded") == {
        "agreementId": new.id,
        "funder": account("stranger"),
        "milestones": 1,
        "amount": AMOUNT,
    }
    assert outcome.event("AgreementOpened")["terms"] == new.abi_terms


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("seconds", [-1, 0, 400 * DAY], ids=["before", "at", "long after its end"])
def test_cell(world: World, status: Status, seconds: int) -> None:
    """Consent works from every status but Settled, whatever the clock says."""
    old = reach(world, status)
    world.now = ENDS[status] + seconds
    new = revised(old, make_milestone(deadline=world.now + DAY))
    enrich(world, "stranger")
    if status is S:
        with refuses("WrongStatus", milestone=0, current=7, allowed=CLOSABLE):
            amend(world, old, new)
        assert not world.escrow.call("isOpen", new.id)
        return
    outcome = amend(world, old, new)
    carried = 0 if status is U else AMOUNT
    assert outcome.event("AgreementAmended")["carried"] == carried
    assert RICH - world.balance("stranger") == AMOUNT - carried
    assert world.state(old) == State(S)
    assert world.state(new) == State(F), "money is carried, never state"


def test_carries_the_rest_of_what_was_paid_in_part(world: World) -> None:
    old = world.funded()
    world.attest(old, old.attestation(amount=400))
    new = revised(old, make_milestone(amount=AMOUNT - 400))
    outcome = amend(world, old, new)
    assert outcome.event("AgreementAmended")["carried"] == AMOUNT - 400
    assert world.state(new) == State(F)
    assert world.balance("supplier") == 400


def test_a_pending_verdict_is_closed_with_its_milestone(world: World) -> None:
    """What the verifiers certified is not carried: both sides and any assignee agreed to that."""
    old = reach(world, Status.RELEASE_PENDING)
    new = revised(old, objection_period=OBJECTION)
    amend(world, old, new)
    world.now = GENESIS + OBJECTION
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111110):
        world.finalize(old)
    with refuses("TooEarly", nowAt=world.now, end=DEADLINE):
        world.finalize(new)


def test_old_attestations_and_acts_are_void(world: World) -> None:
    """They name the old agreement, and that milestone is settled."""
    old = world.funded()
    new = revised(old)
    attestation = old.attestation()
    signatures = world.signatures(old, attestation, 0b011)
    amend(world, old, new)
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111110):
        world.attest(old, attestation)
    with refuses(
        "AttestationMismatch",
        agreementId=old.id,
        milestone=0,
        expectedId=new.id,
        expectedMilestone=0,
    ):
        world.attest(new, attestation, signatures=signatures)
    digest = new.attestation().typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=new.terms.verifiers[0], digest=digest):
        world.attest(new, new.attestation(), signatures=signatures)
    world.attest(new, new.attestation())
    assert world.balance("supplier") == AMOUNT


def test_what_is_not_closed_stays_under_the_old_terms(world: World) -> None:
    old = world.funded(*[make_milestone()] * 3)
    new = revised(old)
    amend(world, old, new, closes=0b010)
    assert [state.status for state in world.states(old)] == [F, S, F]
    world.attest(old, old.attestation(0))
    world.now = DEADLINE
    world.finalize(old, 2)
    assert world.balance("supplier") == AMOUNT


def test_closes_the_sixtieth_of_sixty(world: World) -> None:
    old = world.funded(*[make_milestone(amount=3)] * 60)
    new = revised(old, *[make_milestone(amount=3)] * 60)
    amend(world, old, new, closes=1 << 59 | 1, funds=1 << 59 | 2)
    assert [s.status for s in world.states(old)] == [S, *[F] * 58, S]
    assert [s.status for s in world.states(new)] == [U, F, *[U] * 57, F]


def test_a_date_is_extended(world: World) -> None:
    """The one-line change order: the same milestone, later."""
    old = world.funded()
    new = revised(old, make_milestone(deadline=DEADLINE + 14 * DAY))
    world.now = DEADLINE + 5
    amend(world, old, new)
    world.attest(new, new.attestation())
    assert world.balance("supplier") == AMOUNT


def test_a_verifier_is_replaced(world: World) -> None:
    old = world.funded()
    inspector = account("another inspector")
    new = revised(old, make_milestone(verifier_set=1, quorum=1), verifiers=(inspector,))
    amend(world, old, new)
    attestation = new.attestation()
    signed = person("another inspector").sign(attestation.typed_data(world.domain))
    world.attest(new, attestation, 1, signatures=[signed])
    assert world.balance("supplier") == AMOUNT


def test_one_milestone_becomes_three_and_three_become_one(world: World) -> None:
    old = world.funded(make_milestone(amount=60))
    three = revised(old, *[make_milestone(amount=20)] * 3)
    amend(world, old, three, funds=0b111)
    assert [state.status for state in world.states(three)] == [F, F, F]
    one = revised(three, make_milestone(amount=60))
    amend(world, three, one, closes=0b111)
    assert [state.status for state in world.states(three)] == [S, S, S]
    world.attest(one, one.attestation())
    assert world.balance("supplier") == 60


# The difference.


@pytest.mark.parametrize("extra", [1, 500, 10 * AMOUNT])
def test_pulls_what_is_missing_from_the_sender(world: World, extra: int) -> None:
    old = world.funded()
    enrich(world, "stranger")
    before = world.balance("buyer")
    outcome = amend(world, old, revised(old, make_milestone(amount=AMOUNT + extra)))
    assert RICH - world.balance("stranger") == extra
    assert world.balance("buyer") == before, "consent never moves money"
    assert outcome.event("MilestonesFunded")["amount"] == AMOUNT + extra
    assert outcome.event("AgreementAmended")["carried"] == AMOUNT


def test_refuses_where_the_sender_cannot_pay_what_is_missing(world: World) -> None:
    old = world.funded()
    new = revised(old, make_milestone(amount=AMOUNT + 1))
    with pytest.raises(Reverted):
        amend(world, old, new, by="stranger")
    assert world.state(old) == State(F)
    assert not world.escrow.call("isOpen", new.id)


@pytest.mark.parametrize("less", [1, AMOUNT - 1])
def test_returns_what_is_left_over_to_the_buyer(world: World, less: int) -> None:
    old = world.funded(fee_bps=1_000, fee_recipient=account("broker"))
    before = {name: world.balance(name) for name in ("buyer", "stranger", "broker", "supplier")}
    outcome = amend(world, old, revised(old, make_milestone(amount=AMOUNT - less)))
    after = {name: world.balance(name) - before[name] for name in before}
    assert after == {"buyer": less, "stranger": 0, "broker": 0, "supplier": 0}
    assert outcome.names == ["AgreementOpened", "AgreementAmended", "MilestonesFunded"]


def test_a_termination_by_consent_returns_everything(world: World) -> None:
    """Closes all, funds nothing: the new agreement is open, and empty."""
    old = world.funded(make_milestone(), make_milestone(amount=5))
    before = world.balance("buyer")
    new = revised(old)
    outcome = amend(world, old, new, closes=0b11, funds=0)
    assert world.balance("buyer") - before == AMOUNT + 5
    assert outcome.names == ["AgreementOpened", "AgreementAmended"]
    assert (world.state(new), world.escrow.call("isOpen", new.id)) == (State(U), True)


def test_a_buyer_who_cannot_receive_is_credited(world: World) -> None:
    old = world.funded()
    world.token.send("setDenylisted", account("buyer"), True)
    outcome = amend(world, old, revised(old, make_milestone(amount=1)))
    assert world.credit("buyer") == AMOUNT - 1
    assert outcome.event("PayoutCredited")["account"] == account("buyer")
    world.token.send("setDenylisted", account("buyer"), False)
    world.withdraw("buyer")
    assert world.credit("buyer") == 0


def test_a_token_that_taxes_is_refused_for_the_difference(world: World) -> None:
    token = hostile_token(world)
    old = world.funded(token=token.address)
    behave(token, transfer_from="Tax")
    with refuses("InexactTransfer", asked=100, received=99):
        amend(world, old, revised(old, make_milestone(amount=AMOUNT + 100)), by="buyer")


def test_an_unfunded_milestone_closes_for_ever(world: World) -> None:
    old = world.opened()
    amend(world, old, revised(old), funds=0)
    with refuses("WrongStatus", milestone=0, current=7, allowed=1):
        world.fund(old, 1)


def test_funded_and_unfunded_ones_close_together(world: World) -> None:
    old = world.opened(make_milestone(amount=3), make_milestone(amount=5))
    world.fund(old, 0b10)
    outcome = amend(world, old, revised(old, make_milestone(amount=5)), closes=0b11)
    assert outcome.event("AgreementAmended")["carried"] == 5


# The new milestones.


def test_a_deposit_of_the_new_terms_is_paid_at_once(world: World) -> None:
    old = world.funded()
    new = revised(
        old,
        DEPOSIT,
        make_milestone(amount=AMOUNT - 1_001),
        fee_bps=50,
        fee_recipient=account("broker"),
    )
    outcome = amend(world, old, new, funds=0b11)
    assert (world.balance("supplier"), world.balance("broker")) == (996, 5)
    assert [state.status for state in world.states(new)] == [S, F]
    assert outcome.event("MilestonePaid") == {
        "agreementId": new.id,
        "milestone": 0,
        "payee": account("supplier"),
        "toPayee": 996,
        "fee": 5,
        "toBuyer": 0,
    }


def test_the_fee_is_taken_once_when_the_money_leaves(world: World) -> None:
    """Carrying costs no fee, under the old terms or the new ones."""
    fee = {"fee_bps": 1_000, "fee_recipient": account("broker")}
    old = world.funded(**fee)
    new = revised(old, **fee)
    amend(world, old, new)
    assert world.balance("broker") == 0
    world.attest(new, new.attestation())
    assert (world.balance("broker"), world.balance("supplier")) == (AMOUNT // 10, AMOUNT * 9 // 10)


def test_a_supplier_who_cannot_receive_a_deposit_is_credited(world: World) -> None:
    old = world.funded()
    new = revised(old, replace(DEPOSIT, amount=AMOUNT))
    world.token.send("setDenylisted", account("supplier"), True)
    amend(world, old, new)
    assert world.credit("supplier") == AMOUNT


def test_only_the_chosen_new_milestones_are_funded(world: World) -> None:
    old = world.funded()
    new = revised(old, make_milestone(), make_milestone(amount=AMOUNT - 1), make_milestone())
    amend(world, old, new, funds=0b010)
    assert [state.status for state in world.states(new)] == [U, F, U]
    world.fund(new, 0b101)


@pytest.mark.parametrize("funds", [0b10, 0b11, 1 << 60, 2**64 - 1])
def test_refuses_to_fund_unknown_milestones(world: World, funds: int) -> None:
    old = world.funded()
    with refuses("UnknownMilestones", asked=funds, count=1):
        amend(world, old, revised(old), funds=funds)


@pytest.mark.parametrize("closes", [0, 0b10, 0b11, 1 << 63, 2**64 - 1])
def test_refuses_to_close_none_or_unknown_milestones(world: World, closes: int) -> None:
    old = world.funded()
    order = amendment(old, revised(old), closes)
    signed = [person(who).sign(order.typed_data(world.domain)) for who in ("buyer", "supplier")]
    with refuses("UnknownMilestones", asked=closes, count=1):
        amend(world, old, revised(old), closes, signatures=signed)


@pytest.mark.parametrize("late", [-1, 0])
def test_refuses_new_terms_whose_deadline_has_come(world: World, late: int) -> None:
    old = world.funded()
    new = revised(old, make_milestone(deadline=DEADLINE + 5))
    world.now = DEADLINE + 5 + late
    refused = refuses(
        "MilestoneOutOfBounds",
        milestone=0,
        term=bytes32("deadline"),
        asked=DEADLINE + 5,
        atLeast=world.now + 1,
        atMost=world.now + 20 * 366 * DAY,
    )
    with nullcontext() if late else refused:
        amend(world, old, new)


def test_new_terms_hold_the_bounds_of_opening(world: World) -> None:
    old = world.funded()
    with refuses("TermOutOfBounds", term=bytes32("feeBps"), asked=1_001, atLeast=0, atMost=1_000):
        amend(world, old, revised(old, fee_bps=1_001, fee_recipient=account("broker")))


# A new agreement that is open already.


def test_carries_into_an_agreement_that_is_open_already(world: World) -> None:
    old = world.funded()
    new = revised(old, make_milestone(), make_milestone())
    world.open(new, 0b01)
    outcome = amend(world, old, new, funds=0b10)
    assert outcome.names == ["AgreementAmended", "MilestonesFunded"]
    assert [state.status for state in world.states(new)] == [F, F]


def test_whoever_opens_the_new_agreement_first_cannot_stop_the_change_order(
    world: World,
) -> None:
    old = world.funded()
    new = revised(old)
    signed = sign_amendment(world, old, amendment(old, new))
    world.open(new)
    amend(world, old, new, signatures=signed)
    assert world.state(new) == State(F)


def test_refuses_to_fund_what_is_funded_already(world: World) -> None:
    """Else the money of two milestones would be booked as that of one."""
    old = world.funded()
    new = revised(old)
    world.open(new, 1)
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        amend(world, old, new)
    assert world.state(old) == State(F)


def test_refuses_a_late_milestone_of_an_open_agreement(world: World) -> None:
    old = world.funded(make_milestone(deadline=DEADLINE + DAY))
    new = revised(old, make_milestone(deadline=DEADLINE))
    world.open(new)
    world.now = DEADLINE
    with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
        amend(world, old, new)


def test_money_moves_within_one_agreement(world: World) -> None:
    """A change order from an agreement to itself: one milestone is given up for another."""
    deal = world.opened(make_milestone(), make_milestone())
    world.fund(deal, 0b01)
    outcome = amend(world, deal, deal, closes=0b01, funds=0b10)
    assert [state.status for state in world.states(deal)] == [S, F]
    assert outcome.names == ["AgreementAmended", "MilestonesFunded"]


def test_what_a_change_order_closes_it_cannot_fund_again(world: World) -> None:
    deal = world.funded()
    with refuses("WrongStatus", milestone=0, current=7, allowed=1):
        amend(world, deal, deal)


# The twin.


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("consents", [("buyer", "supplier"), ("buyer",), ()], ids=len)
def test_the_twin_agrees(world: World, status: Status, consents: Sequence[str]) -> None:
    old = reach(world, status, make_milestone(), make_milestone(amount=77))
    enrich(world, "stranger")
    shapes = ((0b01, AMOUNT), (0b01, 1), (0b11, 2 * AMOUNT), (0b100, 1), (0, 1))
    for closes, amount in shapes:
        for until in (GENESIS, GENESIS - 1):
            here = branch(world)
            new = revised(old, make_milestone(amount=amount))
            order = amendment(old, new, closes, 1, until, world.states(old))
            _agrees(here, old, order, consents)
        for wrong in ({"carried": 5}, {"epochs": 9}):
            _agrees(branch(world), old, replace(order, valid_until=GENESIS, **wrong), consents)


def _agrees(world: World, old: Deal, order: Amendment, consents: Sequence[str]) -> None:
    """The same refusal, or the same states, carried amount and difference."""
    states = world.states(old)
    new = Deal(old.domain, order.terms, order.milestones)
    data = order.typed_data(world.domain)
    signed = [person(w).sign(data) if w in consents else b"" for w in ("buyer", "supplier")]

    def call() -> Outcome:
        return amend(world, old, new, order=order, signatures=signed)

    before = {name: world.balance(name) for name in ("stranger", "buyer")}
    try:
        closed, money = close(
            old.terms, old.milestones, states, order, {account(w) for w in consents}, world.now
        )
    except LifecycleError as refusal:
        expected: AbstractContextManager[Any] = pytest.raises(
            Refused, match=f"^{refusal.fields['error']}"
        )
        with expected:
            call()
        return
    outcome = call()
    assert outcome.event("AgreementAmended")["carried"] == money.carried
    assert before["stranger"] - world.balance("stranger") == money.pulled
    assert world.balance("buyer") - before["buyer"] == money.returned
    for index, state in closed.items():
        assert state.status is world.state(old, index).status is S


def test_a_rejected_milestone_is_rescued_by_both(world: World) -> None:
    """A refund that is pending, an arbiter that is none: new terms, the same money."""
    old = world.funded()
    world.attest(old, old.attestation(verdict=Verdict.REJECTED))
    new = revised(old)
    amend(world, old, new)
    world.attest(new, new.attestation())
    assert world.balance("supplier") == AMOUNT
