"""Texts are signed for signing in, by whatever holds the key, as wallets sign them (EIP-191)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys import DevSigner, LocalSigner
from milestone_escrow.keys.kms import KmsSigner
from milestone_escrow.keys.rpc_signer import RpcSigner
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.signatures import recover, text_digest
from tests.unit.keys.test_kms import FakeKms

SECRET = (0xC0FFEE).to_bytes(32, "big")


@given(st.text())
def test_a_local_key_signs_as_a_wallet_does(text: str) -> None:
    signature = LocalSigner(SECRET).sign_text(text, 1)
    assert signature == bytes(Account.sign_message(encode_defunct(text=text), SECRET).signature)


def test_a_key_in_kms_signs_texts() -> None:
    signer = KmsSigner("key", FakeKms(0xC0FFEE))
    assert recover(text_digest("hello"), signer.sign_text("hello", 1)) == signer.address


def test_a_sandbox_key_signs_texts_for_the_sandbox_only() -> None:
    assert DevSigner(1).sign_text("hello", SANDBOX_CHAIN_ID)
    with pytest.raises(UsageError, match="everybody knows it"):
        DevSigner(1).sign_text("hello", 1)


class Wallet:
    """A wallet that signs with one key and says it is another's, if told so."""

    def __init__(self, secret: bytes = SECRET) -> None:
        self.secret = secret
        self.asked: list[tuple[str, Sequence[object]]] = []

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        self.asked.append((method, params))
        text = bytes.fromhex(str(params[0])[2:]).decode()
        signed = Account.sign_message(encode_defunct(text=text), self.secret)
        return "0x" + bytes(signed.signature).hex()


def test_a_wallet_is_asked_for_a_personal_signature() -> None:
    wallet, account = Wallet(), LocalSigner(SECRET).address
    signature = RpcSigner(wallet, account).sign_text("Größe", 1)
    assert recover(text_digest("Größe"), signature) == account
    assert wallet.asked == [("personal_sign", ["0x" + "Größe".encode().hex(), account])]


def test_a_wallet_that_signs_with_another_key_is_found_out() -> None:
    account = LocalSigner(SECRET).address
    with pytest.raises(KeyFileError, match="not by"):
        RpcSigner(Wallet(b"\1" * 32), account).sign_text("hello", 1)
