"""The file with the signatures is read as hostile."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.documents.agreement import Agreement, DeploymentLike
from milestone_escrow.documents.files.signed_agreement import SignedAgreement, signed_path
from milestone_escrow.errors import DocumentError, EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import Signer

Load = Callable[..., Agreement]


@pytest.fixture
def unsigned(agreement: Agreement, deployment: DeploymentLike) -> SignedAgreement:
    return SignedAgreement.start(agreement.on(deployment))


@pytest.fixture
def signed(unsigned: SignedAgreement, buyer: Signer, supplier: Signer) -> SignedAgreement:
    return unsigned.sign(buyer).sign(supplier)


def test_collects_signatures_by_role(
    unsigned: SignedAgreement, buyer: Signer, supplier: Signer, inspector: Signer
) -> None:
    half = unsigned.sign(supplier)
    assert (set(half.signatures), half.is_complete) == ({"supplier"}, False)
    full = half.sign(buyer).appoint("inspector", inspector)
    assert full.is_complete
    assert full.missing == ("forwarder", "bank", "arbiter")


def test_what_is_saved_is_loaded_again(signed: SignedAgreement, tmp_path: Path) -> None:
    file = tmp_path / "deal.signed.json"
    signed.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["deal.signed.json"]
    again = SignedAgreement.load(file)
    assert again.id == signed.id
    assert again.signatures == signed.signatures
    assert again.terms == signed.terms
    assert again.milestones == signed.milestones
    assert again.agreement.milestone("built").title == "Forty tables built and oiled"


def test_the_file_stands_beside_the_agreement() -> None:
    assert signed_path("deals/PO-7.yaml") == Path("deals/PO-7.signed.json")


def test_saving_into_a_missing_folder_says_so(signed: SignedAgreement, tmp_path: Path) -> None:
    with pytest.raises(EscrowError, match="cannot be written"):
        signed.save(tmp_path / "no" / "deal.signed.json")


def test_a_strangers_signature_is_refused(unsigned: SignedAgreement, stranger: Signer) -> None:
    with pytest.raises(UsageError, match="not a party"):
        unsigned.sign(stranger)
    forged = stranger.sign_typed_data(unsigned.bound.typed_data())
    with pytest.raises(UsageError, match="signature of buyer is not by"):
        unsigned.add("buyer", forged)
    with pytest.raises(UsageError, match="not a role"):
        unsigned.add("witness", forged)


def test_a_signature_for_another_chain_is_refused(unsigned: SignedAgreement, buyer: Signer) -> None:
    elsewhere = replace(unsigned.bound, domain=Domain(1, unsigned.domain.verifying_contract))
    with pytest.raises(UsageError, match="signature of buyer"):
        unsigned.add("buyer", elsewhere.sign(buyer))


def test_copies_of_both_sides_are_merged(
    unsigned: SignedAgreement, buyer: Signer, supplier: Signer
) -> None:
    merged = unsigned.sign(buyer).merge(unsigned.sign(supplier))
    assert merged.is_complete


def test_copies_of_different_agreements_are_not_merged(
    unsigned: SignedAgreement, load: Load, deployment: DeploymentLike
) -> None:
    other = SignedAgreement.start(load(("oiled", "waxed")).on(deployment))
    with pytest.raises(UsageError, match="different agreements"):
        unsigned.merge(other)


def _swap_amount(fields: dict[str, Any]) -> None:
    fields["terms"]["milestones"][1]["amount"] = "1"


def _swap_supplier(fields: dict[str, Any]) -> None:
    fields["terms"]["supplier"] = "0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb"


def _swap_document(fields: dict[str, Any]) -> None:
    fields["document"]["clauses"]["law"] = "Danish law"


def _swap_id(fields: dict[str, Any]) -> None:
    fields["agreement_id"] = "0x" + "00" * 32


def _swap_chain(fields: dict[str, Any]) -> None:
    fields["chain_id"] = "1"


def _swap_token(fields: dict[str, Any]) -> None:
    fields["token"]["address"] = "0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb"


def _swap_signatures(fields: dict[str, Any]) -> None:
    signatures = fields["signatures"]
    signatures["buyer"], signatures["supplier"] = signatures["supplier"], signatures["buyer"]


def _number_in_document(fields: dict[str, Any]) -> None:
    fields["document"]["format"] = 1


def _extra_field(fields: dict[str, Any]) -> None:
    fields["note"] = "hello"


def _broken_signature(fields: dict[str, Any]) -> None:
    fields["signatures"]["buyer"] = "0xzz"


def _broken_chain(fields: dict[str, Any]) -> None:
    fields["chain_id"] = "-1"


def _deep_document(fields: dict[str, Any]) -> None:
    for _ in range(100):
        fields["document"] = {"title": fields["document"]}


FORGERIES = [
    _swap_amount, _swap_supplier, _swap_document, _swap_id, _swap_chain, _swap_token,
    _swap_signatures, _number_in_document, _extra_field, _broken_signature, _broken_chain,
    _deep_document,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES)
def test_refuses_a_file_that_was_changed(
    forge: Callable[[dict[str, Any]], None], signed: SignedAgreement
) -> None:
    fields = json.loads(json.dumps(signed.to_json()))
    assert SignedAgreement.loads(json.dumps(fields)).is_complete
    forge(fields)
    with pytest.raises(DocumentError) as caught:
        SignedAgreement.loads(json.dumps(fields), file="deal.signed.json")
    assert caught.value.file == "deal.signed.json"


@pytest.mark.parametrize(
    "data", ["", "[]", "{}", "nonsense", '{"a":1,"a":2}', "[" * 100_000, b"\xff"]
)
def test_refuses_what_is_no_such_file(data: str | bytes) -> None:
    with pytest.raises(DocumentError, match="not a signed agreement"):
        SignedAgreement.loads(data)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        SignedAgreement.load(tmp_path / "no.signed.json")
