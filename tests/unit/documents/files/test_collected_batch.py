"""A batch of attestations travels as a file that is read as hostile."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.documents.agreement import Agreement, BoundAgreement, DeploymentLike
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.files.collected_batch import (
    CollectedBatch,
    collect,
    load_batch,
)
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import Signer
from tests.unit.documents.conftest import KeySigner

NOW = 1_805_000_000
WORDS = {"format": "1", "files": [], "reason": "all tables counted"}


@pytest.fixture
def deals(load: Callable[..., Agreement], deployment: DeploymentLike) -> Sequence[BoundAgreement]:
    """Two agreements of the same parties with the same verifiers."""
    return load().on(deployment), load(("reference: T-40", "reference: T-41")).on(deployment)


@pytest.fixture
def batch(deals: Sequence[BoundAgreement]) -> CollectedBatch:
    (found,) = collect((deal, accepted(deal), WORDS) for deal in deals)
    return found


@pytest.fixture
def bank() -> KeySigner:
    return KeySigner(5)


def accepted(deal: BoundAgreement, key: str = "delivered") -> Attestation:
    index = deal.agreement.index(key)
    amount = deal.milestones[index].amount
    return Attestation(deal.id, index, Verdict.ACCEPTED, amount, words_hash(WORDS), NOW, NOW + 99)


def find(deals: Sequence[BoundAgreement]) -> Callable[[bytes], BoundAgreement]:
    known = {deal.id: deal for deal in deals}

    def found(agreement_id: bytes) -> BoundAgreement:
        if agreement_id not in known:
            raise UsageError("this agreement is not known here")
        return known[agreement_id]

    return found


def test_a_quorum_signs_one_file(
    batch: CollectedBatch, deals: Sequence[BoundAgreement], inspector: Signer, bank: Signer,
    tmp_path: Path,
) -> None:  # fmt: skip
    assert (batch.missing, len(batch.waiting_for), batch.is_complete) == (2, 3, False)
    file = tmp_path / "batch.json"
    file.write_text(batch.sign(inspector).dumps())
    second = load_batch(file, find(deals)).sign(bank)
    assert second.is_complete
    assert set(second.signatures) == {inspector.address, bank.address}
    assert [dict(item.words) for item in second.items] == [WORDS, WORDS]
    other = batch.sign(bank)
    assert batch.sign(inspector).merge(other).signatures == second.signatures


def test_only_who_verifies_all_of_it_signs(
    batch: CollectedBatch, stranger: Signer, arbiter: Signer
) -> None:
    for who in (stranger, arbiter):
        with pytest.raises(UsageError, match="does not verify all milestones"):
            batch.sign(who)


def test_milestones_of_other_verifiers_make_another_batch(deals: Sequence[BoundAgreement]) -> None:
    keys = ("built", "delivered")
    found = collect((deals[0], accepted(deals[0], key), WORDS) for key in keys)
    assert sorted(len(batch.batch.signers) for batch in found) == [1, 3]
    with pytest.raises(UsageError, match="different batches"):
        found[0].merge(found[1])


def test_agreements_of_two_networks_are_not_one_batch(deals: Sequence[BoundAgreement]) -> None:
    elsewhere = replace(deals[1], domain=Domain(1, deals[1].domain.verifying_contract))
    with pytest.raises(UsageError, match="different networks"):
        collect((deal, accepted(deal), WORDS) for deal in (deals[0], elsewhere))


def _swap(fields: dict[str, Any]) -> None:
    fields["batch"].reverse()


def _drop(fields: dict[str, Any]) -> None:
    fields["batch"].pop()


def _more(fields: dict[str, Any]) -> None:
    fields["batch"][0]["attestation"]["amount"] = "1"


def _other_words(fields: dict[str, Any]) -> None:
    fields["batch"][0]["words"]["reason"] = "none counted"


def _other_key(fields: dict[str, Any]) -> None:
    fields["batch"][0]["milestone"] = "built"


def _extra(fields: dict[str, Any]) -> None:
    fields["batch"][0]["note"] = "hello"


def _no_entries(fields: dict[str, Any]) -> None:
    fields["batch"] = []


def _twice(fields: dict[str, Any]) -> None:
    fields["batch"].append(fields["batch"][0])


def _text(fields: dict[str, Any]) -> None:
    fields["batch"][0] = "hello"


def _not_hex(fields: dict[str, Any]) -> None:
    fields["signatures"] = dict.fromkeys(fields["signatures"], "0xzz")


FORGERIES = [
    _swap, _drop, _more, _other_words, _other_key, _extra, _no_entries, _twice, _text, _not_hex,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES)
def test_refuses_a_file_that_was_changed(
    forge: Callable[[dict[str, Any]], None], batch: CollectedBatch,
    deals: Sequence[BoundAgreement], inspector: Signer, tmp_path: Path,
) -> None:  # fmt: skip
    file = tmp_path / "batch.json"
    fields = json.loads(batch.sign(inspector).dumps())
    file.write_text(json.dumps(fields))
    assert load_batch(file, find(deals)).signatures
    forge(fields)
    file.write_text(json.dumps(fields))
    with pytest.raises(DocumentError):
        load_batch(file, find(deals))


def test_an_unknown_agreement_is_named_by_who_looks(
    batch: CollectedBatch, deals: Sequence[BoundAgreement], tmp_path: Path
) -> None:
    file = tmp_path / "batch.json"
    file.write_text(batch.dumps())
    with pytest.raises(UsageError, match="not known here"):
        load_batch(file, find(deals[:1]))
