"""finalize: time decides, by the rule for each silence, and anyone may call it."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.statuses import ARBITRATION, ENDS, OBJECTION, reach
from tests.contracts.support.world import World, account

HOLDING = [status for status in Status if status.holds]


@pytest.mark.parametrize("status", HOLDING)
def test_says_out_of_which_status_time_decided(world: World, status: Status) -> None:
    deal = reach(world, status)
    world.now = ENDS[status]
    outcome = world.finalize(deal)
    assert outcome.names == ["MilestoneFinalized", "MilestonePaid"]
    assert outcome.event("MilestoneFinalized") == {
        "agreementId": deal.id,
        "milestone": 0,
        "status": int(status),
    }


@pytest.mark.parametrize("status", HOLDING)
def test_time_alone_settles_from_everywhere(world: World, status: Status) -> None:
    """Liveness: with nobody acting, at most two calls by a stranger empty the escrow."""
    deal = reach(world, status)
    world.now = max(ENDS.values())
    calls = 0
    while world.state(deal).status is not Status.SETTLED:
        world.finalize(deal, by="stranger")
        calls += 1
    assert calls <= 2
    assert world.balance(world.escrow.address) == 0


def test_a_certified_part_is_paid_and_the_rest_waits_for_the_deadline(world: World) -> None:
    deal = world.funded(objection_period=OBJECTION)
    world.attest(deal, deal.attestation(amount=300))
    world.now = GENESIS + OBJECTION
    world.finalize(deal)
    state = world.state(deal)
    assert (state.status, state.paid, state.pending) == (Status.FUNDED, 300, 0)
    with refuses("TooEarly", nowAt=world.now, end=DEADLINE):
        world.finalize(deal)
    world.now = DEADLINE
    before = world.balance("buyer")
    world.finalize(deal)
    assert world.balance("supplier") == 300
    assert world.balance("buyer") - before == AMOUNT - 300


def test_pays_only_what_was_certified_beyond_what_was_paid(world: World) -> None:
    deal = world.funded(objection_period=OBJECTION)
    world.resolve(deal, 100, 0)
    world.attest(deal, deal.attestation(amount=300))
    world.now = GENESIS + OBJECTION
    outcome = world.finalize(deal)
    assert outcome.event("MilestonePaid")["toPayee"] == 200
    assert world.balance("supplier") == 300


@pytest.mark.parametrize("share", [0, 1, 3_333, 9_999, 10_000])
@pytest.mark.parametrize("amount", [1, 3, 10_001, AMOUNT])
def test_a_silent_arbiter_leads_to_the_agreed_default(
    world: World, share: int, amount: int
) -> None:
    deal = reach(
        world,
        Status.DISPUTED_BEFORE_VERDICT,
        make_milestone(amount=amount),
        default_payee_bps=share,
    )
    before = world.balance("buyer")
    world.now = DEADLINE + ARBITRATION
    world.finalize(deal)
    assert world.balance("supplier") == amount * share // 10_000
    assert world.balance("buyer") - before == amount - amount * share // 10_000


def test_the_default_applies_to_what_is_held(world: World) -> None:
    deal = world.funded(default_payee_bps=5_000)
    world.resolve(deal, AMOUNT // 2, 0)
    world.dispute(deal, by="supplier")
    world.now = DEADLINE + ARBITRATION
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT // 2 + AMOUNT // 4


def test_no_default_after_verifiers_have_spoken(world: World) -> None:
    deal = world.funded(default_payee_bps=5_000)
    world.attest(deal, deal.attestation(amount=AMOUNT // 2))
    world.dispute(deal, by="supplier")
    world.now = DEADLINE + ARBITRATION
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT // 2


def test_a_rejection_refunds_only_the_rest(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(amount=400, issued_at=GENESIS - 1))
    world.attest(deal, deal.attestation(verdict=2))
    world.now = GENESIS + 3 * 86_400
    before = world.balance("buyer")
    world.finalize(deal)
    assert world.balance("supplier") == 400
    assert world.balance("buyer") - before == AMOUNT - 400


def test_a_disputed_acceptance_stands_where_the_arbiter_is_silent(world: World) -> None:
    """Also after a part had been paid: only what the verdict added leaves."""
    deal = world.funded(objection_period=OBJECTION, arbitration_period=ARBITRATION - 1)
    world.resolve(deal, 100, 0)
    world.attest(deal, deal.attestation(amount=250))
    world.dispute(deal, by="buyer")
    world.now = DEADLINE - 1
    outcome = world.finalize(deal)
    assert outcome.event("MilestonePaid")["toPayee"] == 150
    state = world.state(deal)
    assert (state.status, state.clock) == (Status.FUNDED, DEADLINE - 1 + 3 * 86_400)


def test_a_progress_payment_pays_what_is_left_at_its_date(world: World) -> None:
    deal = world.funded(make_milestone(pays_on_silence=True))
    world.resolve(deal, 400, 0)
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT


def test_a_progress_payment_that_verifiers_certified_pays_that_and_no_more(world: World) -> None:
    deal = world.funded(make_milestone(pays_on_silence=True))
    world.attest(deal, deal.attestation(amount=400))
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("supplier") == 400


@pytest.mark.parametrize("fee_bps", [0, 1, 333, 1_000])
@pytest.mark.parametrize("amount", [1, 9, 10, 9_999, 2**128 - 1])
def test_conserves_every_unit(world: World, fee_bps: int, amount: int) -> None:
    world.token.send("mint", account("buyer"), amount)
    deal = reach(
        world,
        Status.DISPUTED_BEFORE_VERDICT,
        make_milestone(amount=amount),
        fee_bps=fee_bps,
        fee_recipient=account("broker"),
    )
    before = world.balance("buyer")
    world.now = DEADLINE + ARBITRATION
    paid = world.finalize(deal).event("MilestonePaid")
    assert paid["toPayee"] + paid["fee"] + paid["toBuyer"] == amount
    assert paid["fee"] == (amount * 6_000 // 10_000) * fee_bps // 10_000
    assert world.balance("supplier") == paid["toPayee"]
    assert world.balance("broker") == paid["fee"]
    assert world.balance("buyer") - before == paid["toBuyer"]


def test_refuses_what_is_settled(world: World) -> None:
    deal = reach(world, Status.SETTLED)
    world.now = DEADLINE * 2
    with refuses("WrongStatus", milestone=0, current=7, allowed=0b1111110):
        world.finalize(deal)


def test_the_last_possible_clocks_do_not_wrap_around(world: World) -> None:
    """The latest opening that still fits: every clock stays within 32 bits."""
    year = 366 * 86_400
    world.now = 2**32 - 1 - 22 * year
    deadline = world.now + 20 * year
    deal = world.funded(make_milestone(deadline=deadline), arbitration_period=year)
    world.dispute(deal, by="supplier")
    assert world.state(deal).clock == deadline + year
    world.now = deadline + year - 1
    with refuses("TooEarly", nowAt=world.now, end=deadline + year):
        world.finalize(deal)
    world.now += 1
    world.finalize(deal)
