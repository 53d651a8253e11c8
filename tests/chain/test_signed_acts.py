"""Acts that a party signs and somebody else sends; receivables; batches; several calls at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.batching import batch_results, foresee
from milestone_escrow.chain.contract.events import (
    MilestoneAssigned,
    MilestoneDisputed,
    MilestoneSubmitted,
)
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.contract.verbs import Act
from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.errors import ContractError, UsageError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.assessment import Security
from milestone_escrow.protocol.batch import Batch, batches
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY, agreement_id, agreement_typed_data
from tests.chain.conftest import AMOUNT


@pytest.fixture
def sender(escrow: Escrow, stranger: DevSigner) -> Escrow:
    """Somebody with no part in the deal."""
    return escrow.acting_as(stranger)


@pytest.fixture
def financier(escrow: Escrow) -> DevSigner:
    who = DevSigner(8)
    escrow.acting_as(who).mint("USDC", who.address, AMOUNT)
    return who


def signed(escrow: Escrow, act: Act, *signers: DevSigner) -> Mapping[Address, bytes]:
    data = act.typed_data(escrow.domain)
    return {signer.address: signer.sign_typed_data(data) for signer in signers}


def test_anyone_sends_what_the_payee_submits(
    sender: Escrow, funded: OpenedAgreement, supplier: DevSigner
) -> None:
    act = sender.acts.submission(funded, 4, b"\4" * 32)
    (signature,) = signed(sender, act, supplier).values()
    (event,) = sender.submit(
        funded, 4, act.evidence_hash, valid_until=act.valid_until, signature=signature
    ).events
    assert isinstance(event, MilestoneSubmitted)
    assert (event.payee, event.evidence_hash) == (supplier.address, b"\4" * 32)
    with pytest.raises(ContractError, match="submitted for review"):
        sender.perform(funded, act, {supplier.address: signature})


def test_anyone_sends_a_dispute_and_a_ruling(
    sender: Escrow, funded: OpenedAgreement, buyer: DevSigner, arbiter: DevSigner
) -> None:
    objection = sender.acts.dispute(funded, 4, b"\7" * 32)
    (event,) = sender.perform(funded, objection, signed(sender, objection, buyer)).events
    assert isinstance(event, MilestoneDisputed)
    assert event.party == buyer.address
    ruling = sender.acts.ruling(funded, 4, AMOUNT - 5, 5, b"\7" * 32)
    assert ruling.epoch == objection.epoch + 1
    sender.perform(funded, ruling, signed(sender, ruling, arbiter))
    assert sender.states(funded)[4].status is Status.SETTLED


def test_a_split_by_both_is_sent_by_anyone(
    sender: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    act = sender.acts.resolution(funded, 2, 10, AMOUNT - 10)
    both = signed(sender, act, supplier, buyer)
    sender.perform(funded, act, both)
    assert sender.states(funded)[2].status is Status.SETTLED


def test_what_was_signed_dies_with_the_next_change(
    escrow: Escrow, sender: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    part = sender.acts.resolution(funded, 4, 5, 0)
    escrow.acting_as(buyer).approve(funded, 4, 5)
    with pytest.raises(ContractError, match="not a signature of the buyer"):
        sender.perform(funded, part, signed(sender, part, buyer))
    late = sender.acts.submission(funded, 4, valid_for=DAY)
    escrow.chain.warp(2 * DAY)
    with pytest.raises(ContractError, match="was valid until"):
        sender.perform(funded, late, signed(sender, late, supplier))


def test_an_act_of_somebody_else_is_refused(
    sender: Escrow, funded: OpenedAgreement, stranger: DevSigner
) -> None:
    act = sender.acts.submission(funded, 4)
    with pytest.raises(ContractError, match="not a signature of the supplier"):
        sender.perform(funded, act, signed(sender, act, stranger))
    with pytest.raises(UsageError, match="nobody has signed"):
        sender.perform(funded, act, {})
    with pytest.raises(UsageError, match="another agreement"):
        sender.perform(funded, replace(act, agreement_id=b"\1" * 32), {"": b""})


def test_a_contract_wallet_signs_as_it_likes(
    escrow: Escrow, sender: Escrow, funded: OpenedAgreement, supplier: DevSigner,
    artifacts: Mapping[str, Artifact],
) -> None:  # fmt: skip
    arguments = encode(["address", "bool"], [supplier.address, False])
    code = bytes.fromhex(artifacts["OwnedWallet"].bytecode.removeprefix("0x"))
    made = escrow.chain.send_from(20, b"", code + arguments).created
    assert made is not None
    wallet = str(to_checksum_address(made))
    escrow.acting_as(supplier).assign(funded, 1, wallet)
    act = sender.acts.resolution(funded, 1, 0, AMOUNT)
    # Of its owner's key, and yet the wallet's: 65 bytes that must reach it as they are.
    (signature,) = signed(sender, act, supplier).values()
    prepared = sender.prepare.perform(funded, act, {wallet: signature})
    assert signature in prepared.data
    sender.send(prepared)
    assert sender.states(funded)[1].status is Status.SETTLED


def test_who_signs_by_key_is_sent_in_64_bytes(
    sender: Escrow, funded: OpenedAgreement, supplier: DevSigner
) -> None:
    act = sender.acts.resolution(funded, 1, 0, AMOUNT)
    own = signed(sender, act, supplier)
    assert next(iter(own.values())) not in sender.prepare.perform(funded, act, own).data


# Receivables


def test_an_assigned_payout_has_a_new_payee(
    escrow: Escrow, sender: Escrow, funded: OpenedAgreement, supplier: DevSigner,
    financier: DevSigner,
) -> None:  # fmt: skip
    act = sender.acts.assignment(funded, 1, financier.address)
    (event,) = sender.perform(funded, act, signed(sender, act, supplier)).events
    assert isinstance(event, MilestoneAssigned)
    with pytest.raises(
        ContractError, match=f"only the payee gives money back: {financier.address}"
    ):
        escrow.acting_as(supplier).refund(funded, 1)
    told = escrow.assess(funded, 1)
    assert told.payee == financier.address
    (before,) = told.handovers
    assert (before.payee, before.assignee, before.price) == (
        supplier.address,
        financier.address,
        0,
    )
    again = escrow.acting_as(financier).assign(funded, 1, supplier.address)
    assert len(escrow.assess(funded, 1).handovers) == 2
    assert isinstance(again.events[0], MilestoneAssigned)


@pytest.mark.parametrize("how", ["permit", "allowance", None])
def test_an_offer_is_bought_by_permit_or_allowance(
    escrow: Escrow, funded: OpenedAgreement, supplier: DevSigner, financier: DevSigner,
    how: str | None,
) -> None:  # fmt: skip
    usdc, price = escrow.token("USDC"), AMOUNT * 96 // 100
    before = escrow.balance(usdc, supplier.address)
    offer = escrow.acts.offer(funded, 1, price)
    (signature,) = signed(escrow, offer, supplier).values()
    buying = escrow.acting_as(financier)
    (event,) = buying.buy_receivable(
        funded,
        offer,
        signature,
        how=how,
        allow=True,  # type: ignore[arg-type]
    ).events
    assert isinstance(event, MilestoneAssigned)
    assert (event.price, event.payee, event.assignee) == (
        price,
        supplier.address,
        financier.address,
    )
    assert escrow.balance(usdc, supplier.address) == before + price
    escrow.acting_as(DevSigner(1)).approve(funded, 1)
    assert escrow.balance(usdc, financier.address) == AMOUNT - price + AMOUNT


def test_an_offer_that_no_longer_fits_is_refused(
    escrow: Escrow, funded: OpenedAgreement, supplier: DevSigner, financier: DevSigner,
    stranger: DevSigner, buyer: DevSigner,
) -> None:  # fmt: skip
    buying = escrow.acting_as(financier)
    for_another = escrow.acts.offer(funded, 1, 5, stranger.address)
    with pytest.raises(ContractError, match="this offer is for one buyer only"):
        buying.perform(funded, for_another, signed(escrow, for_another, supplier))
    dear = escrow.acts.offer(funded, 1, AMOUNT + 1)
    with pytest.raises(ContractError, match="the price is"):
        buying.buy_receivable(funded, dear, b"", how="allowance")
    offer = escrow.acts.offer(funded, 1, 5)
    escrow.acting_as(buyer).approve(funded, 1, 7)
    with pytest.raises(ContractError, match="the price is"):
        buying.perform(funded, offer, signed(escrow, offer, supplier))
    offer = escrow.acts.offer(funded, 1, 5)
    escrow.acting_as(supplier).submit(funded, 1)
    with pytest.raises(ContractError, match="has changed since this was signed"):
        buying.perform(funded, offer, signed(escrow, offer, supplier))
    with pytest.raises(UsageError, match="another agreement"):
        buying.prepare.buy_receivable(funded, replace(offer, milestone=9), b"")


def test_verifiers_do_not_buy_what_they_verify(
    escrow: Escrow, funded: OpenedAgreement, supplier: DevSigner, inspector: DevSigner
) -> None:
    offer = escrow.acts.offer(funded, 1, 5)
    with pytest.raises(ContractError, match="cannot own the payout of milestone 2"):
        escrow.acting_as(inspector).perform(funded, offer, signed(escrow, offer, supplier))


def test_a_check_follows_the_chain(
    escrow: Escrow, funded: OpenedAgreement, inspector: DevSigner
) -> None:
    assert escrow.assess(funded, 1).security is Security.UNVERIFIED
    assert escrow.assess(funded, 4).security is Security.BUYER_CAN_STOP
    what = escrow.attestation(funded, 1)
    escrow.acting_as(inspector).attest(
        funded, what, [inspector.sign_typed_data(what.typed_data(escrow.domain))]
    )
    told = escrow.assess(funded, 1)
    assert told.security is Security.OBJECTION_POSSIBLE
    assert told.until == escrow.states(funded)[1].clock
    escrow.chain.set_time(escrow.states(funded)[1].clock)
    assert escrow.assess(funded, 1).security is Security.TIME_ONLY


# Batches


@pytest.fixture
def second(escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner) -> OpenedAgreement:
    """Another agreement with the same verifiers, two milestones of it funded."""
    terms = replace(funded.terms, salt=2)
    deal = OpenedAgreement(
        agreement_id(escrow.domain, terms, funded.milestones), terms, funded.milestones
    )
    data = agreement_typed_data(escrow.domain, terms, funded.milestones)
    consent = {who.address: who.sign_typed_data(data) for who in (buyer, DevSigner(2))}
    escrow.acting_as(buyer).open(deal, consent, fund=[2, 3])
    return deal


def both_sign(escrow: Escrow, batch: Batch[OpenedAgreement]) -> list[bytes]:
    data = batch.typed_data(escrow.domain)
    return [DevSigner(n).sign_typed_data(data) for n in (4, 3)]


def test_one_signature_each_decides_milestones_of_many_agreements(
    escrow: Escrow, sender: Escrow, funded: OpenedAgreement, second: OpenedAgreement,
    buyer: DevSigner,
) -> None:  # fmt: skip
    items = [(deal, escrow.attestation(deal, at)) for deal in (second, funded) for at in (2, 3)]
    (batch,) = batches(items)
    assert [result.skipped for result in foresee(escrow, batch)] == [""] * 4
    escrow.acting_as(buyer).approve(second, 3)
    foreseen = [
        (r.agreement.id, r.attestation.milestone, r.skipped) for r in foresee(escrow, batch)
    ]
    receipt = sender.attest_batch(batch, both_sign(escrow, batch))
    results = batch_results(batch, receipt)
    told = [(r.agreement.id, r.attestation.milestone, r.skipped) for r in results]
    assert told == foreseen
    assert [(id_, at) for id_, at, skipped in told if skipped] == [(second.id, 3)]
    assert {r.reason for r in results if r.skipped} == {"no verdict can change it any more"}
    assert escrow.states(funded)[2].status is Status.RELEASE_PENDING
    settled = State(Status.SETTLED)
    shown = [
        settled if s.status is Status.SETTLED else s for s in replay(escrow.events(second)).states
    ]
    assert shown == list(escrow.states(second))


def test_every_reason_to_skip_is_said_in_words(
    escrow: Escrow, sender: Escrow, funded: OpenedAgreement, inspector: DevSigner,
    buyer: DevSigner,
) -> None:  # fmt: skip
    escrow.acting_as(buyer).approve(funded, 2, AMOUNT - 5)
    what = escrow.attestation(funded, 2, amount=7)
    old = escrow.attestation(funded, 3)
    newer = escrow.attestation(funded, 3)
    reject = replace(newer, verdict=Verdict.REJECTED, amount=0, issued_at=newer.issued_at)
    items = [
        (funded, what),
        (funded, replace(old, valid_until=old.issued_at - 1)),
        (funded, reject),
    ]
    (batch,) = batches(items)
    receipt = sender.attest_batch(batch, both_sign(escrow, batch))
    told = {r.attestation: r.skipped for r in batch_results(batch, receipt)}
    assert told[what] == "AmountOutOfBounds"
    assert told[reject] == ""
    assert [r.skipped for r in batch_results(batch, receipt)].count("SignatureExpired") == 1
    assert all(r.reason for r in batch_results(batch, receipt) if r.skipped)


def test_what_makes_several_batches_is_not_sent_as_one(
    escrow: Escrow, sender: Escrow, funded: OpenedAgreement, stranger: DevSigner
) -> None:
    items = [(funded, escrow.attestation(funded, at)) for at in (1, 2)]
    with pytest.raises(UsageError, match="make 2 batches"):
        sender.attest_batch(items, [])
    (batch,) = batches(items[1:])
    foreign = [stranger.sign_typed_data(batch.typed_data(escrow.domain))]
    with pytest.raises(UsageError, match="does not verify all milestones of the batch"):
        sender.attest_batch(batch, foreign)
    with pytest.raises(ContractError, match="1 of 2 needed verifiers"):
        sender.attest_batch(batch, both_sign(escrow, batch)[:1])


# Several calls at once


def test_many_milestones_are_settled_in_one_transaction(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner
) -> None:
    acting, before = escrow.acting_as(buyer), escrow.chain.head.number
    receipt = acting.together([acting.prepare.approve(funded, at) for at in (1, 2, 3, 4)])
    assert escrow.chain.head.number == before + 1
    assert [state.status for state in escrow.states(funded)] == [Status.SETTLED] * 5
    assert len(receipt.events) == 8


def test_one_that_is_refused_refuses_all_and_is_named(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner
) -> None:
    acting = escrow.acting_as(buyer)
    parts = [acting.prepare.approve(funded, at) for at in (1, 2, 1)]
    with pytest.raises(ContractError, match="milestone 2 is settled, but `approve` needs") as told:
        acting.together(parts)
    assert told.value.name == "WrongStatus"
    assert escrow.states(funded)[2].status is Status.FUNDED


def test_only_own_calls_to_the_contract_go_together(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    acting = escrow.acting_as(buyer)
    allow = acting.prepare.allow(escrow.token("USDC"), 5)
    theirs = escrow.prepare_for(supplier.address).refund(funded, 1)
    for wrong in ([allow, allow], [theirs]):
        with pytest.raises(UsageError, match="is not a call of"):
            acting.together(wrong)
    with pytest.raises(UsageError, match="nothing to do"):
        acting.together([])
    one = acting.prepare.approve(funded, 1)
    assert acting.prepare.together([one]) == one
