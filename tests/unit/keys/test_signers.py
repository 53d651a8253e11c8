"""Signers sign what they rebuilt, and never show what they hold."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from eth_account import Account

from milestone_escrow.errors import KeyFileError, TypedDataError, UsageError
from milestone_escrow.keys import DevSigner, LocalSigner
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.signatures import recover

SECRET = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
CONTRACT = "0xBbcBa0436641eEbfEf117b7185573B146487a1AA"


def attestation(chain_id: int, amount: int = 5) -> TypedData:
    what = Attestation(b"\1" * 32, 0, Verdict.ACCEPTED, amount, b"\2" * 32, 1, 2)
    return what.typed_data(Domain(chain_id, CONTRACT))


def transaction(chain_id: int | None) -> dict[str, Any]:
    fields = {"type": 2, "nonce": 0, "to": CONTRACT, "value": 0, "data": b"", "gas": 21_000}
    fields |= {"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}
    return fields if chain_id is None else {**fields, "chainId": chain_id}


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner(SECRET)


def test_typed_data_is_signed_by_the_account(signer: LocalSigner) -> None:
    data = attestation(1)
    signature = signer.sign_typed_data(data)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert recover(data.digest(), signature) == signer.address


def test_the_same_data_gives_the_same_signature(signer: LocalSigner) -> None:
    assert signer.sign_typed_data(attestation(1)) == signer.sign_typed_data(attestation(1))


def test_a_transaction_is_signed_by_the_account(signer: LocalSigner) -> None:
    raw = signer.sign_transaction(transaction(1))
    assert Account.recover_transaction(raw) == signer.address


def test_data_that_does_not_fit_its_struct_is_not_signed(signer: LocalSigner) -> None:
    with pytest.raises(TypedDataError):
        signer.sign_typed_data(attestation(1, amount=-1))


def test_a_transaction_without_a_chain_is_not_signed(signer: LocalSigner) -> None:
    with pytest.raises(UsageError, match="replayed"):
        signer.sign_transaction(transaction(None))


def test_nothing_that_prints_a_signer_shows_its_secret(signer: LocalSigner) -> None:
    for text in (repr(signer), str(signer), f"{signer}", f"{[signer]}", repr(dir(signer))):
        assert SECRET.hex() not in text.lower()
        assert str(int.from_bytes(SECRET, "big")) not in text
    assert signer.address in repr(signer)
    assert not hasattr(signer, "__dict__")


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_signer_does_not_leave_its_process(signer: LocalSigner, leave: Any) -> None:
    with pytest.raises(TypeError, match="secret"):
        leave(signer)


@pytest.mark.parametrize("secret", [b"", b"\1" * 31, b"\1" * 33, bytes(32), b"\xff" * 32], ids=len)
def test_what_is_no_private_key_is_refused_without_being_repeated(secret: bytes) -> None:
    with pytest.raises(KeyFileError) as refusal:
        LocalSigner(secret)
    assert secret == b"" or secret.hex() not in str(refusal.value)


def test_a_sandbox_key_signs_for_the_sandbox() -> None:
    signer = DevSigner(1)
    assert signer.address == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    data = attestation(SANDBOX_CHAIN_ID)
    assert recover(data.digest(), signer.sign_typed_data(data)) == signer.address
    assert Account.recover_transaction(signer.sign_transaction(transaction(SANDBOX_CHAIN_ID)))


@pytest.mark.parametrize("chain_id", [1, 11_155_111, 31_337, None])
def test_a_sandbox_key_signs_for_no_other_chain(chain_id: int | None) -> None:
    signer = DevSigner(2)
    with pytest.raises(UsageError, match="everybody knows it"):
        signer.sign_transaction(transaction(chain_id))
    with pytest.raises(UsageError, match="everybody knows it"):
        signer.sign_typed_data(attestation(chain_id or 0))


@pytest.mark.parametrize("number", [0, 21, -1])
def test_there_are_twenty_sandbox_keys(number: int) -> None:
    with pytest.raises(UsageError, match="1 to 20"):
        DevSigner(number)
