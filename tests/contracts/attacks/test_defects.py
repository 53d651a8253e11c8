"""Defects found in other escrows, each of them a test here.

The numbers are those of the list that was made of them; what needs a receivable, a change order
or a permit is tested beside those verbs.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.signatures import compact
from tests.contracts.support.contract import Refused, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, FOREVER, make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS, Reverted
from tests.contracts.support.people import person
from tests.contracts.support.statuses import ARBITRATION, OBJECTION, reach
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account, branch


@pytest.mark.parametrize("denied", ["supplier", "broker", "buyer"])
def test_1_a_denylisted_account_neither_loses_its_money_nor_blocks_the_others(
    world: World, denied: str
) -> None:
    deal = reach(
        world,
        Status.DISPUTED_BEFORE_VERDICT,
        fee_bps=1_000,
        fee_recipient=account("broker"),
    )
    world.token.send("setDenylisted", account(denied), True)
    before = {name: world.balance(name) for name in ("supplier", "broker", "buyer")}
    parts = {"supplier": AMOUNT * 45 // 100, "broker": AMOUNT * 5 // 100, "buyer": AMOUNT // 2}
    world.rule(deal, AMOUNT // 2, AMOUNT // 2)
    for name in parts:
        got = world.balance(name) - before[name]
        assert (got, world.credit(name)) == (
            (0, parts[name]) if name == denied else (parts[name], 0)
        )
    world.token.send("setDenylisted", account(denied), False)
    world.withdraw(denied)
    assert world.balance(denied) - before[denied] == parts[denied]


@pytest.mark.parametrize("status", [s for s in Status if s.holds])
def test_2_nobodys_silence_locks_funds(world: World, status: Status) -> None:
    """Arbiter, verifiers and parties gone: a stranger's calls settle all, at a known time."""
    deal = reach(world, status)
    world.now = DEADLINE + ARBITRATION
    for _ in range(2):
        if world.state(deal).status is not Status.SETTLED:
            world.finalize(deal, by="stranger")
    assert world.state(deal).status is Status.SETTLED
    assert world.balance(world.escrow.address) == 0


def test_2_a_silent_arbiter_does_not_undo_what_was_delivered(world: World) -> None:
    deal = reach(world, Status.RELEASE_PENDING)
    world.dispute(deal, by="buyer")
    world.now = GENESIS + ARBITRATION
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT


def test_2_silent_verifiers_do_not_stop_a_submission(world: World) -> None:
    deal = reach(world, Status.SUBMITTED)
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT


@pytest.mark.parametrize(
    "change",
    [
        {"token": "0x" + "42" * 20},
        {"fee_bps": 1_000, "fee_recipient": "0x" + "43" * 20},
        {"arbiter": "0x" + "44" * 20},
        {"objection_period": 1},
        {"salt": 2},
    ],
)
def test_3_no_term_can_be_swapped_after_one_side_has_agreed(
    world: World, change: dict[str, object]
) -> None:
    agreed = world.deal()
    signed = person("supplier").sign(agreed.typed_data)
    swapped = replace(agreed, terms=replace(agreed.terms, **change))  # type: ignore[arg-type]
    with refuses("InvalidSignature", signer=account("supplier"), digest=swapped.id):
        world.open(swapped, supplier=signed)
    world.open(agreed, supplier=signed)
    with refuses("AgreementNotOpen", agreementId=swapped.id):
        world.fund(swapped, 1)


def test_4_a_stranger_cannot_occupy_an_id_with_other_terms(world: World) -> None:
    """The id commits to the terms, and opening them needs both signatures."""
    deal = world.deal()
    with refuses("NotAuthorized", caller=account("stranger"), allowed=account("buyer")):
        world.open(deal, by="stranger")
    other = world.opened(salt=2)
    assert other.id != deal.id
    world.open(deal, deal.all)
    assert world.state(deal).status is Status.FUNDED


def test_4_a_stranger_who_opens_first_changes_nothing(world: World) -> None:
    deal = world.deal()
    world.open(deal, by="stranger", buyer=person("buyer").sign(deal.typed_data))
    world.open(deal, deal.all)
    assert world.state(deal).status is Status.FUNDED


def test_5_the_buyer_cannot_freeze_what_was_approved_or_certified(world: World) -> None:
    approved, certified = world.funded(salt=1), world.funded(salt=2)
    world.resolve(approved, AMOUNT, 0, by="buyer")
    world.attest(certified, certified.attestation())
    for deal in (approved, certified):
        with pytest.raises(Refused, match="WrongStatus"):
            world.dispute(deal, by="buyer")
    assert world.balance("supplier") == 2 * AMOUNT


def test_5_the_buyer_cannot_freeze_work_before_it_is_verified(world: World) -> None:
    deal = world.funded()
    with refuses("NotAuthorized", caller=account("buyer"), allowed=account("supplier")):
        world.dispute(deal, by="buyer")


def test_5_a_failed_check_does_not_end_the_milestone(world: World) -> None:
    deal = world.funded()
    rejected = deal.attestation(verdict=Verdict.REJECTED, issued_at=GENESIS - 1)
    world.attest(deal, rejected)
    world.attest(deal, deal.attestation())
    assert world.balance("supplier") == AMOUNT


def test_6_a_part_is_compared_with_the_rest_and_not_with_the_total(world: World) -> None:
    deal, other = world.funded(salt=1), world.funded(salt=2)
    world.resolve(deal, AMOUNT // 2, 0)
    rest = AMOUNT - AMOUNT // 2
    with refuses("SplitOutOfBounds", asked=rest + 1, atLeast=1, atMost=rest):
        world.resolve(deal, rest + 1, 0)
    with refuses("AmountOutOfBounds", asked=AMOUNT // 2, atLeast=AMOUNT // 2 + 1, atMost=AMOUNT):
        world.attest(deal, deal.attestation(amount=AMOUNT // 2))
    world.attest(deal, deal.attestation(amount=AMOUNT))
    assert world.balance("supplier") == AMOUNT
    assert world.state(other).status is Status.FUNDED


def test_7_a_signature_works_on_one_chain_contract_agreement_and_milestone(world: World) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    act = world.resolution(deal, 1, 0)
    elsewhere = [
        act.typed_data(Domain(CHAIN_ID + 1, world.escrow.address)),
        act.typed_data(Domain(CHAIN_ID, account("stranger"))),
        replace(act, agreement_id=b"\1" * 32).typed_data(world.domain),
        replace(act, milestone=1).typed_data(world.domain),
        replace(act, epoch=1).typed_data(world.domain),
        deal.typed_data,
    ]
    digest = act.typed_data(world.domain).digest()
    for data in elsewhere:
        with refuses("InvalidSignature", signer=account("buyer"), digest=digest):
            world.resolve(deal, 1, 0, buyer=person("buyer").sign(data), by="stranger")


def test_7_a_zero_recovery_is_not_an_unset_role(world: World) -> None:
    deal = reach(world, Status.SUBMITTED, arbiter=ZERO_ADDRESS)
    world.dispute(deal, by="buyer")
    for nothing in (bytes(65), bytes(64), b"\xff" * 65, bytes(64) + b"\x1b"):
        with pytest.raises(Refused, match="InvalidSignature"):
            world.rule(deal, AMOUNT, 0, signature=nothing, by="supplier")


def test_8_the_same_signer_does_not_count_twice(world: World) -> None:
    deal = world.funded()
    attestation = deal.attestation()
    (one,) = world.signatures(deal, attestation, 0b001)
    for twice in ([one, one], [one, compact(one)]):
        with pytest.raises(Refused, match="InvalidSignature"):
            world.attest(deal, attestation, 0b011, signatures=twice)


@pytest.mark.parametrize(("verifier_set", "quorum"), [(0b111, 0), (0b111, 4), (0, 1)])
def test_8_no_quorum_of_nobody_or_of_more_than_there_are(
    world: World, verifier_set: int, quorum: int
) -> None:
    deal = world.deal(make_milestone(verifier_set=verifier_set, quorum=quorum))
    with pytest.raises(Refused, match="MilestoneOutOfBounds"):
        world.open(deal)


def test_9_contract_wallets_take_part_in_every_role(world: World) -> None:
    """As senders here; as signers in the tests of signatures."""
    wallet = world.deploy("OwnedWallet", account("owner"), True)
    deal = world.deal(supplier=wallet.address)
    opening = world.escrow.data(
        "open",
        deal.abi_terms,
        deal.abi_milestones,
        0,
        person("buyer").sign(deal.typed_data),
        b"",
    )
    wallet.send("execute", world.escrow.address, opening)
    world.fund(deal, 1)
    refund = (deal.abi_terms, deal.ref(0), 0, AMOUNT, FOREVER, b"", b"")
    wallet.send("execute", world.escrow.address, world.escrow.data("resolve", *refund))
    world.deals[deal.id] = deal
    assert world.state(deal).status is Status.SETTLED


def test_9_a_wallets_signature_is_bound_to_its_agreement(world: World) -> None:
    """Two wallets of one owner: what was signed for one does not open the other's agreement."""
    first, second = (world.deploy("OwnedWallet", account("owner"), False) for _ in range(2))
    signed = world.deal(supplier=first.address)
    other = world.deal(supplier=second.address)
    signature = person("owner").sign(signed.typed_data)
    with refuses("InvalidSignature", signer=second.address, digest=other.id):
        world.open(other, supplier=signature)
    world.open(signed, supplier=signature)


def test_10_a_callback_cannot_fund_twice_with_one_transfer(world: World) -> None:
    token = hostile_token(world)
    first = world.opened(token=token.address, salt=1)
    second = world.opened(token=token.address, salt=2)
    again = world.escrow.data("fund", second.abi_terms, second.abi_milestones, 1)
    token.send("callBack", world.escrow.address, again)
    behave(token, transfer_from="Reenter")
    world.fund(first, 1)
    assert not token.call("reentered")
    assert world.state(second).status is Status.UNFUNDED
    assert world.balance(world.escrow.address, token) == AMOUNT


def test_12_a_token_is_booked_at_what_arrives_or_not_at_all(world: World) -> None:
    token = hostile_token(world)
    for mode in ("Tax", "Refuse"):
        attempt = branch(world)
        deal = attempt.opened(token=token.address)
        behave(token.on(attempt.chain), transfer_from=mode)
        with pytest.raises((Refused, Reverted)):
            attempt.fund(deal, 1)
        assert attempt.state(deal).status is Status.UNFUNDED


def test_12_a_token_that_answers_nothing_is_paid_and_not_credited(world: World) -> None:
    token = hostile_token(world)
    behave(token, transfer="Silent", transfer_from="Silent")
    deal = world.funded(token=token.address)
    world.attest(deal, deal.attestation())
    assert world.balance("supplier", token) == AMOUNT
    assert world.credit("supplier", token.address) == 0


def test_12_a_token_that_answers_false_is_credited(world: World) -> None:
    token = hostile_token(world)
    deal = world.funded(token=token.address)
    behave(token, transfer="Refuse")
    world.attest(deal, deal.attestation())
    assert world.credit("supplier", token.address) == AMOUNT


def test_13_milestones_are_set_once_and_funded_at_their_own_amounts(world: World) -> None:
    deal = world.opened(make_milestone(amount=3), make_milestone(amount=4))
    more = replace(deal, milestones=(*deal.milestones, make_milestone(amount=5)))
    with refuses("AgreementNotOpen", agreementId=more.id):
        world.fund(more, 0b111)
    with refuses("UnknownMilestones", asked=0b111, count=2):
        world.open(deal, 0b111)
    world.fund(deal, 0b11)
    assert world.balance(world.escrow.address) == 7
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        world.fund(deal, 0b01)


def test_13_what_was_objected_to_is_still_paid_in_full(world: World) -> None:
    """Nothing is lost between the clocks: all that came in goes out."""
    deal = reach(world, Status.RELEASE_PENDING)
    world.dispute(deal, by="buyer")
    world.now += OBJECTION
    before = world.balance("buyer")
    world.rule(deal, AMOUNT // 3, AMOUNT - AMOUNT // 3)
    assert world.balance("supplier") + world.balance("buyer") - before == AMOUNT
