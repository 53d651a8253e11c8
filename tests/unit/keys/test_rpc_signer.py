"""Accounts of nodes and wallets: asked over JSON-RPC, and never believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from milestone_escrow.errors import ChainError, KeyFileError, UsageError
from milestone_escrow.keys.rpc_signer import RpcSigner, rpc_accounts
from milestone_escrow.protocol.acts import Appointment
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.signatures import Sender, recover

KEY = bytes.fromhex("11" * 32)
ACCOUNT = str(Account.from_key(KEY).address)
CONTRACT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
DOMAIN = Domain(11155111, CONTRACT)
ASKED: Mapping[str, Any] = {
    "type": 2, "chainId": 11155111, "nonce": 7, "to": CONTRACT, "value": 0, "data": b"\xab\xcd",
    "gas": 90_000, "maxFeePerGas": 30 * 10**9, "maxPriorityFeePerGas": 10**9,
}  # fmt: skip
LEGACY: Mapping[str, Any] = {
    "chainId": 11155111, "nonce": 0, "to": b"", "value": 0, "data": b"\xab", "gas": 90_000,
    "gasPrice": 30 * 10**9,
}  # fmt: skip

Answer = Callable[[Sequence[Any]], Any]


def typed() -> TypedData:
    return Appointment(b"\1" * 32, "surveyor", ACCOUNT).typed_data(DOMAIN)


def error(code: int, message: str = "no") -> ChainError:
    return ChainError(message, code=code)


class Wallet:
    """Signs as wallets do, with another library than ours; `answers` replace what it says."""

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        self.asked.append(method)
        if method in self._answers:
            return self._answers[method](params)
        if method == "eth_chainId":
            return hex(11155111)
        if method in ("eth_accounts", "eth_requestAccounts"):
            return [ACCOUNT.lower()]
        if method == "eth_signTypedData_v4":
            body = params[1] if isinstance(params[1], dict) else json.loads(params[1])
            return (
                "0x"
                + Account.sign_message(encode_typed_data(full_message=body), KEY).signature.hex()
            )
        if method == "eth_signTransaction":
            return {"raw": signed(params[0]), "tx": {}}
        raise error(-32601)


def signed(request: Mapping[str, Any], **changes: object) -> str:
    """What a node makes of a request, with eth-account's own reading of it."""
    fields = {name: value for name, value in request.items() if name not in ("from", "input")}
    return "0x" + Account.sign_transaction({**fields, **changes}, KEY).raw_transaction.hex()


def raising(code: int) -> Answer:
    def answer(_: Sequence[Any]) -> Any:
        raise error(code)

    return answer


def test_signs_what_the_digest_says():
    signature = RpcSigner(Wallet(), ACCOUNT).sign_typed_data(typed())
    assert recover(typed().digest(), signature) == ACCOUNT


def test_takes_v_as_zero_or_one_and_the_compact_form():
    good = RpcSigner(Wallet(), ACCOUNT).sign_typed_data(typed())
    low = good[:64] + bytes([good[64] - 27])
    short = good[:32] + bytes([good[32] | (good[64] - 27) << 7]) + good[33:64]
    for form in (low, short):
        wallet = Wallet(eth_signTypedData_v4=lambda _, form=form: "0x" + form.hex())
        assert RpcSigner(wallet, ACCOUNT).sign_typed_data(typed()) == good


def test_gives_the_object_to_nodes_that_do_not_take_text():
    def fussy(params: Sequence[Any]) -> Any:
        if isinstance(params[1], str):
            raise error(-32602)
        return Wallet().request("eth_signTypedData_v4", params)

    signer = RpcSigner(Wallet(eth_signTypedData_v4=fussy), ACCOUNT)
    assert recover(typed().digest(), signer.sign_typed_data(typed())) == ACCOUNT


@pytest.mark.parametrize(
    "answer", ["0x" + "11" * 65, "0x", "0x12zz", 5, None, "0x" + "ab" * 200],
)  # fmt: skip
def test_refuses_a_signature_that_is_not_of_our_digest(answer: object):
    wallet = Wallet(eth_signTypedData_v4=lambda _: answer)
    with pytest.raises(KeyFileError):
        RpcSigner(wallet, ACCOUNT).sign_typed_data(typed())


def test_refuses_a_signature_of_another_message():
    other = Appointment(b"\2" * 32, "surveyor", ACCOUNT).typed_data(DOMAIN)
    wallet = Wallet(
        eth_signTypedData_v4=lambda p: Wallet().request(
            "eth_signTypedData_v4", [p[0], other.to_json()]
        )
    )
    with pytest.raises(KeyFileError, match="is not by 0x19E7"):
        RpcSigner(wallet, ACCOUNT).sign_typed_data(typed())


@pytest.mark.parametrize("asked", [ASKED, LEGACY])
def test_signs_a_transaction_that_says_what_was_asked(asked: Mapping[str, Any]):
    raw = RpcSigner(Wallet(), ACCOUNT).sign_transaction(asked)
    assert Account.recover_transaction(raw) == ACCOUNT
    bare = Wallet(eth_signTransaction=lambda p: signed(p[0]))
    assert RpcSigner(bare, ACCOUNT).sign_transaction(asked) == raw


@pytest.mark.parametrize(
    "change",
    [
        {"to": ACCOUNT}, {"value": 1}, {"data": "0xab"}, {"nonce": 8}, {"chainId": 1},
        {"gas": 90_001}, {"maxFeePerGas": 31 * 10**9}, {"maxPriorityFeePerGas": 2},
        {"accessList": [{"address": CONTRACT, "storageKeys": []}]},
    ],
)  # fmt: skip
def test_refuses_a_transaction_that_says_anything_else(change: dict[str, object]):
    wallet = Wallet(eth_signTransaction=lambda p: signed(p[0], **change))
    with pytest.raises(KeyFileError, match="another transaction"):
        RpcSigner(wallet, ACCOUNT).sign_transaction(ASKED)


def test_refuses_a_transaction_signed_by_another_account():
    def other(params: Sequence[Any]) -> str:
        fields = {n: v for n, v in params[0].items() if n not in ("from", "input")}
        return "0x" + Account.sign_transaction(fields, b"\x22" * 32).raw_transaction.hex()

    with pytest.raises(KeyFileError, match="another transaction"):
        RpcSigner(Wallet(eth_signTransaction=other), ACCOUNT).sign_transaction(ASKED)


def test_refuses_a_transaction_without_a_chain():
    with pytest.raises(UsageError, match="chain id"):
        RpcSigner(Wallet(), ACCOUNT).sign_transaction({**ASKED, "chainId": None})


def test_sends_by_itself():
    sent: list[Any] = []

    def send(params: Sequence[Any]) -> str:
        sent.extend(params)
        return "0x" + "5c" * 32

    signer = RpcSigner(Wallet(eth_sendTransaction=send), ACCOUNT)
    assert isinstance(signer, Sender)
    without_nonce = {name: value for name, value in ASKED.items() if name != "nonce"}
    assert signer.send_transaction(without_nonce) == "0x" + "5c" * 32
    assert sent[0]["data"] == sent[0]["input"] == "0xabcd"
    assert "nonce" not in sent[0]
    assert sent[0]["chainId"] == hex(11155111)


def test_sends_nothing_on_another_chain():
    wallet = Wallet(eth_chainId=lambda _: "0x1", eth_sendTransaction=lambda _: "0x" + "5c" * 32)
    with pytest.raises(KeyFileError, match="on chain 1, but this is for chain 11155111"):
        RpcSigner(wallet, ACCOUNT).send_transaction(ASKED)
    assert "eth_sendTransaction" not in wallet.asked


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(4001, "declined in the wallet"), (4100, "allow it there"), (-32601, "does not know"),
     (-32000, "the wallet refuses")],
)  # fmt: skip
def test_says_what_the_wallet_said(code: int, sentence: str):
    with pytest.raises(KeyFileError, match=sentence):
        RpcSigner(Wallet(eth_sendTransaction=raising(code)), ACCOUNT).send_transaction(ASKED)


def test_a_node_that_does_not_answer_stays_a_node_that_does_not_answer():
    def silent(_: Sequence[Any]) -> Any:
        raise ChainError("no node answers")

    with pytest.raises(ChainError, match="no node answers"):
        RpcSigner(Wallet(eth_chainId=silent), ACCOUNT).send_transaction(ASKED)


def test_lists_accounts_of_wallets_and_of_nodes():
    assert rpc_accounts(Wallet()) == (ACCOUNT,)
    assert rpc_accounts(Wallet(eth_requestAccounts=raising(-32601))) == (ACCOUNT,)


@pytest.mark.parametrize("answer", [[], None, ["0x12"], "no"])
def test_refuses_a_wallet_without_accounts(answer: object):
    with pytest.raises(KeyFileError):
        rpc_accounts(Wallet(eth_requestAccounts=lambda _: answer))
