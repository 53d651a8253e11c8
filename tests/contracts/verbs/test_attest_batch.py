"""attestBatch: one signature of each verifier over many attestations, none stopping another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from eth_utils import keccak

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.batches import Item, attest_batch, sign_batch, transfers
from tests.contracts.support.contract import Outcome, Refused
from tests.contracts.support.deal import (
    AMOUNT,
    DEADLINE,
    EVIDENCE,
    Deal,
    make_milestone,
)
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.receivables import assign
from tests.contracts.support.statuses import ENDS, OBJECTION, reach
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account, branch

F, S, RP, XP = Status.FUNDED, Status.SETTLED, Status.RELEASE_PENDING, Status.REFUND_PENDING


def _deals(world: World, count: int, **terms: object) -> list[Deal]:
    return [world.funded(**{"salt": salt + 1, **terms}) for salt in range(count)]


def _accept(deals: Sequence[Deal], **changes: object) -> list[Item]:
    return [(deal, deal.attestation(**changes)) for deal in deals]


def _selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])


WRONG_STATUS = _selector("WrongStatus(uint256,uint8,uint256)")
TOO_LATE = _selector("TooLate(uint256,uint256)")
EXPIRED = _selector("SignatureExpired(uint256,uint256)")
ISSUED_AT = _selector("IssuedAtOutOfBounds(uint256,uint256,uint256)")
AMOUNT_BOUNDS = _selector("AmountOutOfBounds(uint256,uint256,uint256)")


def test_decides_milestones_of_several_agreements(world: World) -> None:
    deals = _deals(world, 3)
    outcome = attest_batch(world, _accept(deals), 0b101)
    assert [world.state(deal).status for deal in deals] == [S, S, S]
    assert world.balance("supplier") == 3 * AMOUNT
    assert outcome.names == ["MilestoneAttested", "MilestonePaid"] * 3
    assert outcome.events[2].values == {
        "agreementId": deals[1].id,
        "milestone": 0,
        "verdict": 1,
        "amount": AMOUNT,
        "evidenceHash": EVIDENCE,
        "issuedAt": GENESIS,
        "signers": 0b101,
        "clock": GENESIS,
    }
    assert outcome.events[3].values == {
        "agreementId": deals[1].id,
        "milestone": 0,
        "payee": account("supplier"),
        "toPayee": AMOUNT,
        "fee": 0,
        "toBuyer": 0,
    }


def test_decides_several_milestones_of_one_agreement(world: World) -> None:
    deal = world.funded(*[make_milestone(amount=10**i) for i in range(4)])
    items = [(deal, deal.attestation(index)) for index in (3, 0, 2)]
    attest_batch(world, items)
    assert [state.status for state in world.states(deal)] == [S, F, S, S]
    assert world.balance("supplier") == 1_101


def test_a_batch_of_one_is_an_attestation(world: World) -> None:
    deal = world.funded()
    attest_batch(world, _accept([deal]))
    assert world.balance("supplier") == AMOUNT


def test_accepts_in_part_and_rejects_side_by_side(world: World) -> None:
    whole, part, bad = _deals(world, 3)
    items = [
        (whole, whole.attestation()),
        (part, part.attestation(amount=400)),
        (bad, bad.attestation(verdict=Verdict.REJECTED)),
    ]
    attest_batch(world, items)
    assert [world.state(deal).status for deal in (whole, part, bad)] == [S, F, XP]
    assert world.state(part) == State(F, clock=DEADLINE, issued_at=GENESIS, epoch=1, paid=400)
    assert world.state(bad).clock == GENESIS + 3 * DAY
    assert world.balance("supplier") == AMOUNT + 400


def test_objection_periods_of_each_agreement_hold(world: World) -> None:
    now, later = world.funded(salt=1), world.funded(salt=2, objection_period=OBJECTION)
    outcome = attest_batch(world, _accept([now, later]))
    assert [world.state(deal).status for deal in (now, later)] == [S, RP]
    assert world.state(later).clock == GENESIS + OBJECTION
    assert outcome.names == ["MilestoneAttested", "MilestonePaid", "MilestoneAttested"]
    assert world.balance("supplier") == AMOUNT


# Joined transfers.


def test_one_token_to_one_account_is_one_transfer(world: World) -> None:
    outcome = attest_batch(world, _accept(_deals(world, 7)))
    (moved,) = transfers(world, outcome)
    assert moved.values == {
        "from": world.escrow.address,
        "to": account("supplier"),
        "value": 7 * AMOUNT,
    }


def test_each_payee_and_each_fee_recipient_is_paid_once(world: World) -> None:
    fee = {"fee_bps": 1_000, "fee_recipient": account("broker")}
    deals = _deals(world, 4, **fee)
    deals += [world.funded(salt=9), world.funded(salt=10, **fee)]
    assign(world, deals[0])
    assign(world, deals[1], to="rival")
    outcome = attest_batch(world, _accept(deals))
    paid = {(e.values["to"], e.values["value"]) for e in transfers(world, outcome)}
    assert paid == {
        (account("financier"), AMOUNT * 9 // 10),
        (account("rival"), AMOUNT * 9 // 10),
        (account("supplier"), AMOUNT * 9 // 10 * 3 + AMOUNT),
        (account("broker"), AMOUNT // 10 * 5),
    }
    assert len(transfers(world, outcome)) == 4


def test_fees_are_rounded_for_each_milestone(world: World) -> None:
    """As if each had been paid alone: joining changes no unit."""
    fee = {"fee_bps": 50, "fee_recipient": account("broker")}
    deals = [world.funded(make_milestone(amount=1_199), salt=i, **fee) for i in range(3)]
    attest_batch(world, _accept(deals))
    assert (world.balance("broker"), world.balance("supplier")) == (3 * 5, 3 * 1_194)


def test_who_is_payee_of_one_and_fee_recipient_of_another_is_paid_once(world: World) -> None:
    first = world.funded(salt=1, fee_bps=1_000, fee_recipient=account("broker"))
    second = world.funded(salt=2)
    assign(world, second, to="broker")
    outcome = attest_batch(world, _accept([first, second]))
    values = {e.values["to"]: e.values["value"] for e in transfers(world, outcome)}
    assert values[account("broker")] == AMOUNT // 10 + AMOUNT


def test_tokens_are_not_joined(world: World) -> None:
    other = hostile_token(world)
    deals = [world.funded(salt=1), world.funded(salt=2, token=other.address)]
    outcome = attest_batch(world, _accept(deals))
    assert [len(token.events(outcome.receipt)) for token in (world.token, other)] == [1, 1]
    assert world.balance("supplier") == world.balance("supplier", other) == AMOUNT


def test_an_account_that_cannot_receive_is_credited_and_stops_nobody(world: World) -> None:
    deals = _deals(world, 4)
    assign(world, deals[1])
    assign(world, deals[2])
    world.token.send("setDenylisted", account("financier"), True)
    outcome = attest_batch(world, _accept(deals))
    assert world.credit("financier") == 2 * AMOUNT
    assert world.balance("supplier") == 2 * AMOUNT
    assert outcome.names.count("PayoutCredited") == 1
    assert [world.state(deal).status for deal in deals] == [S] * 4


def test_a_token_that_fails_stops_no_other_token(world: World) -> None:
    bad = hostile_token(world)
    deals = [world.funded(salt=1, token=bad.address), world.funded(salt=2)]
    behave(bad, transfer="BurnGas")
    attest_batch(world, _accept(deals))
    assert world.credit("supplier", bad.address) == AMOUNT
    assert world.balance("supplier") == AMOUNT


def test_too_little_gas_turns_no_payout_into_a_credit(world: World) -> None:
    deal = world.funded()
    world.token.send("setDenylisted", account("supplier"), True)
    with pytest.raises(Refused, match="GasTooLow"):
        attest_batch(world, _accept([deal]), gas=300_000)
    assert world.state(deal) == State(F)


# What can no longer be decided is skipped.


@dataclass(frozen=True)
class Late:
    """What happened to an item meanwhile, and the error that it is skipped with."""

    reason: bytes
    meanwhile: Callable[[World, Deal], object] = lambda world, deal: None
    changes: tuple[tuple[str, object], ...] = ()


def _settle(world: World, deal: Deal) -> None:
    world.resolve(deal, AMOUNT, 0, by="buyer")


def _newer(world: World, deal: Deal) -> None:
    world.attest(deal, deal.attestation(amount=5, issued_at=GENESIS))


def _certified(world: World, deal: Deal) -> None:
    world.attest(deal, deal.attestation(amount=600, issued_at=GENESIS - 9))


LATE = {
    "settled by the parties": Late(WRONG_STATUS, _settle),
    "decided by a newer attestation": Late(ISSUED_AT, _newer),
    "from the future": Late(ISSUED_AT, changes=(("issued_at", GENESIS + 1),)),
    "without a time": Late(ISSUED_AT, changes=(("issued_at", 0),)),
    "expired": Late(EXPIRED, changes=(("valid_until", GENESIS - 1),)),
    "no more than was paid": Late(AMOUNT_BOUNDS, _certified, (("amount", 600),)),
    "more than the milestone": Late(AMOUNT_BOUNDS, changes=(("amount", AMOUNT + 1),)),
}


@pytest.mark.parametrize("what", LATE)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_skips_an_item(world: World, what: str, place: int) -> None:
    """Wherever it stands, the others go through."""
    deals = _deals(world, 3)
    case = LATE[what]
    case.meanwhile(world, deals[place])
    before, has = world.state(deals[place]), world.balance("supplier")
    items = _accept(deals)
    items[place] = (deals[place], replace(items[place][1], **dict(case.changes)))  # type: ignore[arg-type]
    outcome = attest_batch(world, items)
    assert outcome.event("AttestationSkipped") == {
        "agreementId": deals[place].id,
        "milestone": 0,
        "reason": case.reason,
    }
    assert outcome.names.count("MilestonePaid") == 2
    assert world.state(deals[place]) == before
    assert world.balance("supplier") - has == 2 * AMOUNT


@pytest.mark.parametrize("late", [-1, 0])
def test_skips_an_item_at_its_end(world: World, late: int) -> None:
    short = world.funded(make_milestone(deadline=DEADLINE), salt=1)
    long = world.funded(make_milestone(deadline=DEADLINE + 1), salt=2)
    world.now = DEADLINE + late
    outcome = attest_batch(world, _accept([short, long]))
    assert world.state(long).status is S
    assert world.state(short).status is (S if late else F)
    if not late:
        assert outcome.event("AttestationSkipped")["reason"] == TOO_LATE


@pytest.mark.parametrize("status", [s for s in Status if s not in (F, S)])
@pytest.mark.parametrize("late", [-1, 0])
def test_decides_from_the_same_statuses_as_a_single_attestation(
    world: World, status: Status, late: int
) -> None:
    """The same attestation, alone and in a batch: the same state, or the same error."""
    deal = reach(world, status)
    world.now = ENDS[status] + late
    attestation = deal.attestation()
    alone, together = branch(world), branch(world)
    error = _refusal(alone, deal, attestation)
    outcome = attest_batch(together, [(deal, attestation)])
    assert _skipped(world, outcome) == ([error.name] if error else [])
    assert together.state(deal) == alone.state(deal)


def _refusal(world: World, deal: Deal, attestation: Attestation) -> Refused | None:
    try:
        world.attest(deal, attestation)
    except Refused as refused:
        return refused
    return None


def _skipped(world: World, outcome: Outcome) -> list[str]:
    """The errors that items were skipped with, by name."""
    reasons = [e.values["reason"] for e in outcome.events if e.name == "AttestationSkipped"]
    errors = [world.escrow.decode_error(reason + bytes(96)) for reason in reasons]
    return [error.name if error else "unknown" for error in errors]


def test_an_item_that_stands_twice_is_decided_once(world: World) -> None:
    deal = world.funded()
    outcome = attest_batch(world, _accept([deal, deal]))
    assert outcome.names == ["MilestoneAttested", "MilestonePaid", "AttestationSkipped"]
    assert outcome.event("AttestationSkipped")["reason"] == WRONG_STATUS
    assert world.balance("supplier") == AMOUNT


def test_a_part_that_stands_twice_is_paid_once(world: World) -> None:
    deal = world.funded()
    outcome = attest_batch(world, _accept([deal, deal], amount=400))
    assert outcome.event("AttestationSkipped")["reason"] == ISSUED_AT
    assert world.balance("supplier") == 400


def test_parts_in_one_batch_are_paid_in_their_order(world: World) -> None:
    deal = world.funded()
    steps = [(300, GENESIS - 2), (700, GENESIS - 1), (AMOUNT, GENESIS)]
    items = [(deal, deal.attestation(amount=a, issued_at=at)) for a, at in steps]
    outcome = attest_batch(world, items)
    assert [e.values["toPayee"] for e in outcome.events if e.name == "MilestonePaid"] == [
        300,
        400,
        AMOUNT - 700,
    ]
    assert len(transfers(world, outcome)) == 1
    assert world.state(deal).status is S


def test_a_batch_of_which_nothing_is_left_moves_nothing(world: World) -> None:
    deals = _deals(world, 3)
    attest_batch(world, _accept(deals))
    outcome = attest_batch(world, _accept(deals))
    assert outcome.names == ["AttestationSkipped"] * 3
    assert transfers(world, outcome) == []
    assert world.balance("supplier") == 3 * AMOUNT


def test_a_batch_does_not_work_twice(world: World) -> None:
    """What it decided in part or left pending is not decided again."""
    deals = [*_deals(world, 2), world.funded(salt=9, objection_period=OBJECTION)]
    items = _accept(deals, amount=400)
    signed = sign_batch(world, items)
    attest_batch(world, items, signatures=signed)
    outcome = attest_batch(world, items, signatures=signed)
    assert [e.values["reason"] for e in outcome.events] == [ISSUED_AT] * 3
    assert world.balance("supplier") == 800


def test_anyone_sends_a_batch(world: World) -> None:
    for number, caller in enumerate(("buyer", "supplier", "inspector", "stranger")):
        deal = world.funded(salt=number)
        attest_batch(world, _accept([deal]), by=caller)
        assert world.state(deal).status is S


def test_a_hundred_items_fit_into_a_block(world: World) -> None:
    deal = world.funded(*[make_milestone(amount=1)] * 50)
    other = world.funded(*[make_milestone(amount=1)] * 50, salt=2)
    items = [(each, each.attestation(i)) for each in (deal, other) for i in range(50)]
    outcome = attest_batch(world, items)
    assert outcome.gas < 10_000_000
    assert world.balance("supplier") == 100


def test_the_twin_agrees(world: World) -> None:
    """Item by item, what the twin decides or refuses is what the batch does or skips."""
    holding = [status for status in Status if status.holds]
    deals = [reach(world, status, salt=10 + status) for status in holding]
    changes: tuple[dict[str, object], ...] = (
        {"amount": 5},
        {"verdict": Verdict.REJECTED, "issued_at": GENESIS - 2},
    )
    items = [(deal, deal.attestation(**change)) for deal in deals for change in changes]
    states = {deal.id: world.state(deal) for deal in deals}
    refused = []
    for deal, attestation in items:
        arguments = (deal.terms, deal.milestones[0], states[deal.id], attestation, world.now)
        try:
            states[deal.id] = transitions.attest(*arguments).state
        except LifecycleError as error:
            refused.append(error.fields["error"])
    outcome = attest_batch(world, items)
    assert {deal.id: world.state(deal) for deal in deals} == states
    assert refused
    assert _skipped(world, outcome) == refused
