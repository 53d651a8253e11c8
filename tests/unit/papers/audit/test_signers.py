"""Verdicts however they reached the chain, sold payouts, and wallets that only a chain can ask."""

from __future__ import annotations

import json

import pytest

from milestone_escrow.documents.canonical import canonical_json
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.papers.audit.archive import pack, unpack
from milestone_escrow.papers.audit.bundle import MANIFEST
from milestone_escrow.papers.audit.claims import failed, verify
from milestone_escrow.papers.audit.fetching import export
from milestone_escrow.protocol.batch import batches
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DAY, DEAL

# Without an objection period: verdicts pay at once.
AT_ONCE = DEAL.replace("  objection_period: 2 days\n", "")


@pytest.fixture(scope="module")
def deal() -> Played:
    return Played.open(AT_ONCE)


def proves(played: Played, signed: SignedAgreement | None = None) -> dict[str, str]:
    data = export(played.world.escrow, [signed or played.signed], lambda digest: {})
    contents, claims = verify(data)
    assert contents is not None
    assert not failed(claims), claims
    return {claim.title: claim.why for claim in claims}


def test_a_batch_is_signed_once_for_all(deal: Played) -> None:
    bound, world = deal.bound, deal.world
    what = [(bound, world.escrow.attestation(bound, key)) for key in ("packed", "arrived")]
    (batch,) = batches(what)
    data = batch.typed_data(bound.domain)
    signatures = {a: world.signer(a).sign_typed_data(data) for a in batch.signers}
    world.escrow.acting_as(world.stranger).attest_batch(batch, signatures)
    why = proves(deal)["Every verdict was signed by its quorum"]
    assert why == "2 verdicts, every signature recovered to its verifier"


def test_a_sold_payout_is_paid_to_whoever_bought_it(deal: Played) -> None:
    bound, world = deal.bound, deal.world
    world.acting_as(bound.terms.supplier).assign(bound, "manufactured", world.stranger.address)
    deal_paid = world.acting_as(bound.terms.buyer).approve(bound, "manufactured")
    assert deal_paid.events
    assert "replayed" in proves(deal)["Every step follows the rules agreed"]


def test_a_contract_wallets_signature_is_named_and_believed_for_no_one_else(deal: Played) -> None:
    """Its chain has taken it when the agreement was opened; here nobody can check it."""
    wallet = SignedAgreement(deal.bound, {**deal.signed.signatures, "buyer": b"\x07" * 130})
    said = proves(deal, wallet)["Both sides agreed"]
    assert said.startswith("the contract opened it, which takes the consent of both; buyer")
    data = export(deal.world.escrow, [wallet], lambda digest: {})
    files = unpack(data)
    manifest = json.loads(files[MANIFEST])
    assert manifest["contract_signers"] == [deal.bound.terms.buyer]
    unnamed = canonical_json({**manifest, "contract_signers": []})
    assert failed(verify(pack({**files, MANIFEST: unnamed}))[1])


def test_time_alone_is_a_step_too(deal: Played) -> None:
    world, bound = deal.world, deal.bound
    world.travel(bound.milestones[-1].deadline + DAY)
    world.escrow.acting_as(world.stranger).finalize(bound, "retainage-2")
    assert "given back" in proves(deal)["Money in is money out and money held"]
