"""From deployment to release through Brownie, with the signatures of the Python protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import brownie
import pytest

from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.terms import DAY, Milestone, Terms, agreement_typed_data

USDC = 10**6
BOTH = 0b11


@pytest.fixture(scope="module")
def domain(escrow: Any, chain: Any) -> Domain:
    _, name, version, chain_id, contract, _, _ = escrow.eip712Domain()
    return Domain(name=name, version=version, chain_id=chain_id, verifying_contract=contract)


@pytest.fixture(scope="module")
def agreement_id(
    escrow: Any,
    buyer: Any,
    supplier: Any,
    domain: Domain,
    terms: Terms,
    milestones: tuple[Milestone, ...],
) -> bytes:
    """An open agreement, both milestones funded by the buyer."""
    data = agreement_typed_data(domain, terms, milestones)
    consent = sign(supplier, data.digest())
    arguments = (on_chain_terms(terms, milestones), on_chain(milestones), BOTH, b"", consent)
    receipt = escrow.open(*arguments, {"from": buyer})
    assert receipt.events["AgreementOpened"]["agreementId"] == "0x" + data.digest().hex()
    return data.digest()


def test_open_pulls_the_chosen_milestones_from_the_buyer(
    agreement_id: bytes, escrow: Any, usdc: Any, buyer: Any
) -> None:
    assert escrow.isOpen(agreement_id)
    assert usdc.balanceOf(escrow) == 1_000 * USDC
    assert usdc.balanceOf(buyer) == 0


def test_the_verifiers_attestation_pays_the_supplier(
    agreement_id: bytes,
    escrow: Any,
    usdc: Any,
    supplier: Any,
    verifier: Any,
    stranger: Any,
    domain: Domain,
    terms: Terms,
    milestones: tuple[Milestone, ...],
    chain: Any,
) -> None:
    attestation = acceptance(agreement_id, milestones, chain)
    signature = sign(verifier, attestation.typed_data(domain).digest())
    call = (on_chain_terms(terms, milestones), reference(milestones, 0), record(attestation), 1)

    escrow.attest(*call, [signature], {"from": stranger})

    assert usdc.balanceOf(supplier) == 300 * USDC
    assert usdc.balanceOf(escrow) == 700 * USDC
    with brownie.reverts(revert_pattern="WrongStatus: .*"):
        escrow.attest(*call, [signature], {"from": stranger})


def test_a_strangers_attestation_is_refused(
    agreement_id: bytes,
    escrow: Any,
    supplier: Any,
    stranger: Any,
    domain: Domain,
    terms: Terms,
    milestones: tuple[Milestone, ...],
    chain: Any,
) -> None:
    attestation = acceptance(agreement_id, milestones, chain)
    signature = sign(supplier, attestation.typed_data(domain).digest())
    call = (on_chain_terms(terms, milestones), reference(milestones, 0), record(attestation), 1)
    with brownie.reverts(revert_pattern="InvalidSignature: .*"):
        escrow.attest(*call, [signature], {"from": stranger})


def test_silence_returns_an_unproven_milestone_to_the_buyer(
    agreement_id: bytes,
    escrow: Any,
    usdc: Any,
    buyer: Any,
    stranger: Any,
    terms: Terms,
    milestones: tuple[Milestone, ...],
    chain: Any,
) -> None:
    call = (on_chain_terms(terms, milestones), reference(milestones, 1))
    with brownie.reverts(revert_pattern="TooEarly: .*"):
        escrow.finalize(*call, {"from": stranger})

    chain.sleep(31 * DAY)
    escrow.finalize(*call, {"from": stranger})

    assert usdc.balanceOf(buyer) == 700 * USDC


def acceptance(agreement_id: bytes, milestones: Sequence[Milestone], chain: Any) -> Attestation:
    """The first milestone, accepted in full now, valid for a day."""
    now = chain[-1].timestamp
    amount = milestones[0].amount
    return Attestation(agreement_id, 0, Verdict.ACCEPTED, amount, b"\x33" * 32, now, now + DAY)


def sign(account: Any, digest: bytes) -> bytes:
    from eth_keys.datatypes import PrivateKey

    key = PrivateKey(bytes.fromhex(account.private_key[2:]))
    signature = key.sign_msg_hash(digest).to_bytes()
    return signature[:64] + bytes([27 + signature[64]])


def on_chain_terms(terms: Terms, milestones: Sequence[Milestone]) -> tuple[object, ...]:
    """`Terms` as the ABI has it: the Agreement struct without its milestones."""
    message = {**terms.message(milestones), "verifiers": list(terms.verifiers)}
    del message["milestones"]
    return tuple(message.values())


def on_chain(milestones: Sequence[Milestone]) -> list[tuple[object, ...]]:
    return [tuple(milestone.message().values()) for milestone in milestones]


def reference(milestones: Sequence[Milestone], index: int) -> tuple[object, ...]:
    """`MilestoneRef`; the contract computes the hash at `index` itself."""
    hashes = [milestone.hash() for milestone in milestones]
    hashes[index] = bytes(32)
    return (hashes, index, tuple(milestones[index].message().values()))


def record(attestation: Attestation) -> tuple[object, ...]:
    return tuple(attestation.message().values())
