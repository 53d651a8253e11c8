"""An agreement's life through the library: every verb, on the embedded chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.events import (
    AgreementOpened,
    MilestoneAttested,
    MilestoneDisputed,
    MilestoneFinalized,
    MilestonePaid,
    MilestonesFunded,
)
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.errors import ChainError, ContractError, UsageError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.acts import Attestation, Resolution, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Role, State, Status, Verb
from milestone_escrow.protocol.terms import DAY
from tests.chain.conftest import AMOUNT, START

Signed = tuple[Attestation, Mapping[Address, bytes]]


def attestation(
    escrow: Escrow,
    deal: OpenedAgreement,
    milestone: int,
    *signers: DevSigner,
    verdict: Verdict = Verdict.ACCEPTED,
    amount: int = AMOUNT,
) -> Signed:
    now = escrow.now()
    what = Attestation(deal.id, milestone, verdict, amount, b"\5" * 32, now, now + DAY)
    data = what.typed_data(escrow.domain)
    return what, {signer.address: signer.sign_typed_data(data) for signer in signers}


def kinds(events: object) -> list[str]:
    assert isinstance(events, tuple)
    return [type(event).__name__ for event in events]


def test_opening_and_funding_takes_the_money_and_pays_the_deposit(
    escrow: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes], buyer: DevSigner
) -> None:
    usdc = escrow.token("USDC")
    before = escrow.balance(usdc, buyer.address)
    receipt = escrow.acting_as(buyer).open(deal, signatures, fund=[0, 1])
    opened, funded, paid = receipt.events
    assert isinstance(opened, AgreementOpened)
    assert isinstance(funded, MilestonesFunded)
    assert isinstance(paid, MilestonePaid)
    assert (opened.terms, opened.milestones) == (deal.terms, deal.milestones)
    assert (funded.milestones, funded.amount) == ((0, 1), 24_000_000_000 + AMOUNT)
    assert escrow.balance(usdc, buyer.address) == before - funded.amount
    assert escrow.balance(usdc, deal.terms.supplier) == paid.to_payee == 24_000_000_000
    assert escrow.balance(usdc, escrow.contract) == AMOUNT
    assert opened.place.time == receipt.time == escrow.now()


def test_a_partys_own_signature_is_not_needed(
    escrow: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes], supplier: DevSigner
) -> None:
    buyers = {deal.terms.buyer: signatures[deal.terms.buyer]}
    escrow.acting_as(supplier).open(deal, buyers)
    assert escrow.is_open(deal.id)


def test_a_missing_signature_is_named_before_anything_is_sent(
    escrow: Escrow, deal: OpenedAgreement, buyer: DevSigner
) -> None:
    with pytest.raises(UsageError, match=r"the supplier.*has not signed"):
        escrow.acting_as(buyer).open(deal)
    assert not escrow.is_open(deal.id)


def test_a_strangers_signature_is_refused(
    escrow: Escrow,
    deal: OpenedAgreement,
    signatures: Mapping[Address, bytes],
    stranger: DevSigner,
    buyer: DevSigner,
) -> None:
    forged = {deal.terms.supplier: signatures[deal.terms.buyer]}
    with pytest.raises(ContractError, match="not a signature of the supplier") as refusal:
        escrow.acting_as(buyer).open(deal, forged)
    assert refusal.value.name == "InvalidSignature"


def test_funding_allows_exactly_what_it_needs(
    escrow: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes], buyer: DevSigner
) -> None:
    usdc, acting = escrow.token("USDC"), escrow.acting_as(buyer)
    acting.allow("USDC", 5)
    with pytest.raises(ContractError, match="must allow the amount first"):
        acting.open(deal, signatures, fund=[1], how="allowance")
    acting.open(deal, signatures, fund=[1], how="allowance", allow=True)
    assert escrow.allowance(usdc, buyer.address) == 0
    acting.fund(deal, [2], how="allowance", allow=True)
    assert escrow.unfunded(deal) == (0, 3, 4)


def test_a_quorum_in_any_order_releases_after_the_objection_period(
    escrow: Escrow,
    funded: OpenedAgreement,
    inspector: DevSigner,
    forwarder: DevSigner,
    stranger: DevSigner,
) -> None:
    acting = escrow.acting_as(stranger)
    for signers, milestone in (((inspector, forwarder), 2), ((forwarder, inspector), 3)):
        what, signatures = attestation(escrow, funded, milestone, *signers)
        # By account, or as a plain list whose order says nothing.
        given = signatures if milestone == 2 else list(signatures.values())
        (event,) = acting.attest(funded, what, given).events
        assert isinstance(event, MilestoneAttested)
        assert event.signers == (0, 1)
        assert event.clock == escrow.now() + 2 * DAY
    escrow.chain.warp(2 * DAY)
    receipt = acting.finalize(funded, 2)
    assert kinds(receipt.events) == ["MilestoneFinalized", "MilestonePaid"]
    assert escrow.states(funded)[2] == State(Status.SETTLED)


def test_too_few_verifiers_and_strangers_are_refused(
    escrow: Escrow,
    funded: OpenedAgreement,
    inspector: DevSigner,
    forwarder: DevSigner,
    stranger: DevSigner,
) -> None:
    acting = escrow.acting_as(stranger)
    with pytest.raises(ContractError, match="1 of 2 needed verifiers"):
        acting.attest(funded, *attestation(escrow, funded, 2, inspector))
    for wrong in (stranger, forwarder):
        with pytest.raises(UsageError, match="does not verify milestone 2"):
            acting.attest(funded, *attestation(escrow, funded, 1, wrong))
    what, _ = attestation(escrow, funded, 1, inspector)
    other = replace(what, amount=5)
    with pytest.raises(UsageError, match="does not verify"):
        acting.attest(funded, what, [inspector.sign_typed_data(other.typed_data(escrow.domain))])


def test_an_expired_attestation_is_refused(
    escrow: Escrow, funded: OpenedAgreement, inspector: DevSigner, stranger: DevSigner
) -> None:
    what, signed = attestation(escrow, funded, 1, inspector)
    escrow.chain.warp(2 * DAY)
    with pytest.raises(ContractError, match="was valid until") as refusal:
        escrow.acting_as(stranger).attest(funded, what, signed)
    assert refusal.value.name == "SignatureExpired"


def test_a_dispute_is_ruled_on_by_the_arbiter(
    escrow: Escrow,
    funded: OpenedAgreement,
    inspector: DevSigner,
    buyer: DevSigner,
    arbiter: DevSigner,
) -> None:
    escrow.acting_as(inspector).attest(funded, *attestation(escrow, funded, 1, inspector))
    (event,) = escrow.acting_as(buyer).dispute(funded, 1, b"\7" * 32).events
    assert isinstance(event, MilestoneDisputed)
    assert event.party == buyer.address
    with pytest.raises(ContractError, match="only the arbiter rules"):
        escrow.acting_as(buyer).rule(funded, 1, 0, AMOUNT)
    ruled = escrow.acting_as(arbiter).rule(funded, 1, 50_000_000_000, 22_000_000_000)
    assert kinds(ruled.events) == ["MilestoneRuled", "MilestonePaid"]
    assert escrow.states(funded)[1] == State(Status.SETTLED)


def test_the_buyer_approves_parts_and_the_payee_gives_the_rest_back(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    escrow.acting_as(buyer).approve(funded, 4, 20_000_000_000)
    assert escrow.states(funded)[4].paid == 20_000_000_000
    (_, paid) = escrow.acting_as(supplier).refund(funded, 4).events
    assert isinstance(paid, MilestonePaid)
    assert paid.to_buyer == 52_000_000_000
    assert escrow.states(funded)[4].status is Status.SETTLED


def test_giving_back_is_the_payees_and_the_clock_says_when_it_ends(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner
) -> None:
    with pytest.raises(ContractError) as refusal:
        escrow.acting_as(buyer).refund(funded, 1)
    said = str(refusal.value)
    assert said.startswith("only the payee gives money back: the supplier")
    assert "from 14 Apr 2027, 00:00 UTC" in said
    assert "anyone can `finalize`, which pays 72,000.00 USDC to the buyer" in said


def test_a_settlement_needs_the_other_sides_signature(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    half = AMOUNT // 2
    acting = escrow.acting_as(buyer)
    with pytest.raises(ContractError, match="needs the consent of the supplier"):
        acting.settle(funded, 2, half, half)
    until = escrow.now() + DAY
    what = Resolution(funded.id, 2, half, half, AMOUNT, escrow.states(funded)[2].epoch, until)
    signed = {supplier.address: supplier.sign_typed_data(what.typed_data(escrow.domain))}
    acting.settle(funded, 2, half, half, signatures=signed, valid_until=until)
    assert escrow.states(funded)[2].status is Status.SETTLED


def test_a_submission_is_paid_when_the_buyer_stays_silent(
    escrow: Escrow, funded: OpenedAgreement, supplier: DevSigner, stranger: DevSigner
) -> None:
    with pytest.raises(ContractError, match="only the payee submits"):
        escrow.acting_as(stranger).submit(funded, 4)
    escrow.acting_as(supplier).submit(funded, 4, b"\4" * 32)
    with pytest.raises(ContractError, match="the window is open until") as refusal:
        escrow.acting_as(stranger).finalize(funded, 4)
    assert "pays 72,000.00 USDC to the payee" in str(refusal.value)
    escrow.chain.warp(14 * DAY)
    finalized, _ = escrow.acting_as(stranger).finalize(funded, 4).events
    assert isinstance(finalized, MilestoneFinalized)
    assert finalized.status is Status.SUBMITTED


def test_a_payout_that_cannot_arrive_waits_for_its_account(
    escrow: Escrow,
    funded: OpenedAgreement,
    buyer: DevSigner,
    supplier: DevSigner,
    stranger: DevSigner,
) -> None:
    usdc = escrow.token("USDC")
    before = escrow.balance(usdc, supplier.address)
    assert escrow.push_refusal(usdc, supplier.address, AMOUNT) is None
    deny(escrow, supplier.address, True)
    assert escrow.push_refusal(usdc, supplier.address, AMOUNT) == "Denylisted"
    receipt = escrow.acting_as(buyer).approve(funded, 1)
    assert "PayoutCredited" in kinds(receipt.events)
    assert kinds(escrow.events(funded))[-2:] == ["MilestonePaid", "PayoutCredited"]
    assert escrow.credit(usdc, supplier.address) == AMOUNT
    with pytest.raises(ContractError, match="still cannot receive 72,000"):
        escrow.acting_as(stranger).withdraw("USDC", supplier.address)
    deny(escrow, supplier.address, False)
    escrow.acting_as(stranger).withdraw("USDC", supplier.address)
    assert escrow.balance(usdc, supplier.address) == before + AMOUNT
    # A withdrawal is an account's, and takes what came from this agreement, too.
    for asked in (funded, funded.id):
        last = kinds(escrow.events(asked))[-3:]
        assert last == ["MilestonePaid", "PayoutCredited", "CreditWithdrawn"]
    with pytest.raises(ContractError, match="nothing waits"):
        escrow.acting_as(stranger).withdraw("USDC", supplier.address)


def deny(escrow: Escrow, account: Address, denied: bool) -> None:
    from milestone_escrow.chain.contract.tokens import denylist_call

    token = bytes.fromhex(escrow.token("USDC").address[2:])
    escrow.chain.send_from(20, token, denylist_call(account, denied))


def test_the_status_says_what_may_be_done_and_what_silence_does(
    escrow: Escrow, funded: OpenedAgreement
) -> None:
    status = escrow.status(funded)
    assert status.is_open
    assert status.held == 4 * AMOUNT
    assert [m.state.status for m in status.milestones] == [Status.SETTLED] + [Status.FUNDED] * 4
    proof, progress = status.milestones[1], status.milestones[4]
    assert {(o.verb, o.role) for o in proof.options} >= {
        (Verb.ATTEST, Role.VERIFIERS),
        (Verb.DISPUTE, Role.PAYEE),
    }
    assert Verb.FINALIZE not in {option.verb for option in proof.options}
    assert (proof.silence[0].split.to_buyer, progress.silence[0].split.to_payee) == (AMOUNT,) * 2
    assert proof.end == START + 90 * DAY
    escrow.chain.set_time(proof.end)
    late = escrow.status(funded).milestones[1]
    assert {option.verb for option in late.options} == {Verb.FINALIZE, Verb.RESOLVE}


def test_an_agreement_that_is_not_open_offers_nothing(
    escrow: Escrow, deal: OpenedAgreement, buyer: DevSigner
) -> None:
    status = escrow.status(deal)
    assert not status.is_open
    assert status.held == 0
    assert all(milestone.options == () for milestone in status.milestones)
    with pytest.raises(ContractError, match="is not open on this contract"):
        escrow.acting_as(buyer).fund(deal, [1])


def test_events_alone_tell_every_state(
    escrow: Escrow,
    funded: OpenedAgreement,
    buyer: DevSigner,
    supplier: DevSigner,
    inspector: DevSigner,
    forwarder: DevSigner,
    arbiter: DevSigner,
) -> None:
    both = (inspector, forwarder)

    def agree() -> None:
        events = escrow.events(funded)
        told = replay(events)
        assert (told.id, told.terms, told.milestones) == (
            funded.id,
            funded.terms,
            funded.milestones,
        )
        settled = State(Status.SETTLED)
        shown = [settled if s.status is Status.SETTLED else s for s in told.states]
        assert shown == list(escrow.states(funded))
        assert [event.place.block for event in events] == sorted(e.place.block for e in events)

    agree()
    part = attestation(escrow, funded, 2, *both, amount=10_000_000_000)
    steps = [
        lambda: escrow.acting_as(inspector).attest(
            funded, *attestation(escrow, funded, 1, inspector)
        ),
        lambda: escrow.acting_as(buyer).dispute(funded, 1),
        lambda: escrow.acting_as(inspector).attest(
            funded, *attestation(escrow, funded, 1, inspector, amount=10_000_000_000)
        ),
        lambda: escrow.acting_as(arbiter).attest(funded, *part),
        lambda: escrow.chain.warp(2 * DAY),
        lambda: escrow.acting_as(arbiter).finalize(funded, 2),
        lambda: escrow.acting_as(buyer).approve(funded, 2, 5),
        lambda: escrow.acting_as(arbiter).attest(
            funded,
            *attestation(escrow, funded, 3, *both, verdict=Verdict.REJECTED, amount=0),
        ),
        lambda: escrow.acting_as(supplier).dispute(funded, 3),
        lambda: escrow.acting_as(arbiter).rule(funded, 3, 1_000, AMOUNT - 1_000),
        lambda: escrow.acting_as(supplier).submit(funded, 4),
        lambda: escrow.acting_as(buyer).dispute(funded, 4),
        lambda: escrow.chain.warp(130 * DAY),
        lambda: escrow.acting_as(arbiter).finalize(funded, 4),
        lambda: escrow.acting_as(arbiter).finalize(funded, 1),
    ]
    for step in steps:
        step()
        agree()
    assert replay(escrow.events(funded)).states[4].paid == AMOUNT


def test_an_agreement_is_found_by_its_id_and_its_parties(
    escrow: Escrow, funded: OpenedAgreement, supplier: DevSigner, stranger: DevSigner
) -> None:
    assert escrow.find(funded.id) == funded
    assert [event.agreement_id for event in escrow.opened(supplier.address)] == [funded.id]
    assert len(escrow.opened()) == 1
    assert escrow.opened(stranger.address) == ()
    with pytest.raises(ContractError, match="no agreement 0x0909"):
        escrow.find(b"\x09" * 32)


def test_what_is_prepared_is_not_sent(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner
) -> None:
    before = escrow.chain.head.number
    prepared = escrow.prepare_for(buyer.address).approve(funded, 1)
    assert escrow.chain.head.number == before
    assert (prepared.verb, prepared.to, prepared.sender) == (
        "approve",
        escrow.contract,
        buyer.address,
    )
    assert prepared.to_json()["data"] == "0x" + prepared.data.hex()
    receipt = escrow.acting_as(buyer).send(prepared)
    assert receipt.gas_used <= prepared.gas
    assert receipt.fee <= prepared.max_cost


def test_what_was_prepared_for_another_is_not_signed(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, stranger: DevSigner
) -> None:
    prepared = escrow.prepare_for(buyer.address).approve(funded, 1)
    with pytest.raises(ChainError, match="prepared for"):
        escrow.acting_as(stranger).send(prepared)


def test_a_transaction_that_was_overtaken_says_why(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    late = escrow.prepare_for(supplier.address).refund(funded, 1)
    escrow.acting_as(buyer).approve(funded, 1)
    with pytest.raises(ContractError, match="nothing more can happen to it"):
        escrow.acting_as(supplier).send(late)


def test_without_a_key_nothing_is_done(escrow: Escrow, funded: OpenedAgreement) -> None:
    with pytest.raises(UsageError, match="no key to act with"):
        escrow.finalize(funded, 1)


def test_an_account_without_coins_for_gas_is_told_so(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner
) -> None:
    poor = DevSigner(9)
    acting = escrow.acting_as(poor)
    rest = 10**24 - 10**13
    escrow.chain.send_from(9, bytes.fromhex(buyer.address[2:]), value=rest, gas=21_000)
    with pytest.raises(ChainError, match="for gas, up to"):
        acting.allow("USDC", 5)


@pytest.mark.parametrize("milestone", [5, -1, "packed"])
def test_a_milestone_that_does_not_exist_is_refused(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, milestone: int | str
) -> None:
    before = escrow.chain.head.number
    for use in (
        lambda: escrow.acting_as(buyer).approve(funded, milestone),
        lambda: escrow.acting_as(buyer).fund(funded, [milestone]),
        lambda: escrow.acting_as(buyer).finalize(funded, milestone),
    ):
        with pytest.raises(UsageError, match="milestone"):
            use()
    assert escrow.chain.head.number == before


def test_a_negative_part_is_refused(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner
) -> None:
    with pytest.raises(UsageError, match="negative"):
        escrow.acting_as(buyer).settle(funded, 1, -5, 10)


def test_symbols_and_decimals_are_read_from_a_token(escrow: Escrow, buyer: DevSigner) -> None:
    from milestone_escrow.chain.contract.tokens import read_token

    assert read_token(escrow.node, escrow.token("USDC").address) == escrow.token("USDC")
    with pytest.raises(ChainError, match="there is no token at"):
        read_token(escrow.node, buyer.address)
