"""Contract wallets' signatures in files: they count where their chain is asked, nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement, DeploymentLike
from milestone_escrow.documents.files.collected import CollectedAttestation, load_attestation
from milestone_escrow.documents.files.collected_batch import collect, load_batch
from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts, load_acts
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.errors import ChainError, DocumentError, UsageError
from milestone_escrow.protocol.acts import Attestation, Submission, Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address
from milestone_escrow.protocol.signatures import Signer

GOOD = b"\xab" * 130
WORDS = {"format": "1", "files": []}


@dataclass
class Chain:
    """Contracts that take `GOOD` as theirs; remembers what it was asked."""

    chain_id: int
    asked: list[tuple[Address, bytes]] = field(default_factory=list)

    def accepts(self, chain_id: int, account: Address, digest: bytes, signature: bytes) -> bool:
        if chain_id != self.chain_id:
            raise ChainError("no node answers")
        self.asked.append((account, digest))
        return signature == GOOD


@pytest.fixture
def signed(agreement: Agreement, deployment: DeploymentLike) -> SignedAgreement:
    return SignedAgreement.start(agreement.on(deployment))


@pytest.fixture
def wallets(signed: SignedAgreement) -> Chain:
    return Chain(signed.domain.chain_id)


def attestation(signed: SignedAgreement) -> Attestation:
    built = signed.agreement.index("built")
    amount = signed.milestones[built].amount
    return Attestation(signed.id, built, Verdict.ACCEPTED, amount, ZERO_HASH, 5, 10**10)


def verifier(signed: SignedAgreement) -> Address:
    return signed.terms.verifiers_of(signed.milestones[signed.agreement.index("built")])[0]


def test_an_agreement_takes_a_wallets_signature_with_its_chain(
    signed: SignedAgreement, wallets: Chain, tmp_path: Path
):
    file = tmp_path / "deal.signed.json"
    signed.add("buyer", GOOD, wallets).save(file)
    assert wallets.asked == [(signed.terms.buyer, signed.id)]
    assert SignedAgreement.load(file, wallets).signatures == {"buyer": GOOD}


def test_offline_it_is_refused_and_says_so(signed: SignedAgreement, wallets: Chain, tmp_path: Path):
    with pytest.raises(UsageError, match="check it with its chain at hand if a contract wallet"):
        signed.add("buyer", GOOD)
    file = tmp_path / "deal.signed.json"
    signed.add("buyer", GOOD, wallets).save(file)
    with pytest.raises(DocumentError, match="signature of buyer is not by"):
        SignedAgreement.load(file)


def test_what_the_wallet_does_not_take_is_refused(signed: SignedAgreement, wallets: Chain):
    for forged in (b"", b"\1" * 65, GOOD + b"\0"):
        with pytest.raises(UsageError, match="signature of buyer is not by"):
            signed.add("buyer", forged, wallets)


def test_a_chain_that_cannot_be_asked_is_no_yes(signed: SignedAgreement):
    with pytest.raises(ChainError, match="no node answers"):
        signed.add("buyer", GOOD, Chain(signed.domain.chain_id + 1))


def test_keys_are_checked_without_any_chain(signed: SignedAgreement, wallets: Chain, buyer: Signer):
    signed.add("buyer", buyer.sign_typed_data(signed.bound.typed_data()), wallets)
    assert wallets.asked == []


def test_verifiers_are_appointed_and_attest_by_wallet(
    signed: SignedAgreement, wallets: Chain, tmp_path: Path
):
    assert "inspector" in signed.add("inspector", GOOD, wallets).signatures
    account, file = verifier(signed), tmp_path / "built.json"
    fresh = CollectedAttestation(signed.bound, attestation(signed), WORDS, {})
    file.write_text(fresh.add(account, GOOD, wallets).dumps(), "utf-8")
    assert load_attestation(file, signed.bound, wallets).signatures == {account: GOOD}
    with pytest.raises(DocumentError, match="for this attestation"):
        load_attestation(file, signed.bound)


def test_a_wallet_that_is_no_verifier_is_not_even_asked(signed: SignedAgreement, wallets: Chain):
    fresh = CollectedAttestation(signed.bound, attestation(signed), WORDS, {})
    with pytest.raises(UsageError, match="is not a verifier"):
        fresh.add(signed.terms.buyer, GOOD, wallets)
    assert wallets.asked == []


def test_batches_take_them_too(signed: SignedAgreement, wallets: Chain, tmp_path: Path):
    (batch,) = collect([(signed.bound, attestation(signed), WORDS)])
    account, file = verifier(signed), tmp_path / "batch.json"
    file.write_text(batch.add(account, GOOD, wallets).dumps(), "utf-8")
    assert load_batch(file, lambda _: signed.bound, wallets).signatures == {account: GOOD}
    with pytest.raises(DocumentError, match="for this batch"):
        load_batch(file, lambda _: signed.bound)


def test_acts_take_them_too(signed: SignedAgreement, wallets: Chain, tmp_path: Path):
    act = Submission(signed.id, signed.agreement.index("built"), ZERO_HASH, 0, 10**10)
    fresh = SignedAct(signed.bound, act, {}, {})
    file = tmp_path / "done.json"
    file.write_text(dumps_acts([fresh.add(signed.terms.supplier, GOOD, wallets)]), "utf-8")
    (found,) = load_acts(file, signed.bound, wallets)
    assert found.signatures == {signed.terms.supplier: GOOD}
    with pytest.raises(DocumentError, match="for this submission"):
        load_acts(file, signed.bound)
    with pytest.raises(UsageError, match="is not by"):
        replace(fresh).add(signed.terms.supplier, b"\1" * 65, wallets)
