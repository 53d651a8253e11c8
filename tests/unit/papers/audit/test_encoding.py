"""Transactions, receipts and tries as the chain encodes them, against other people's encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from eth.db.trie import make_trie_root_and_nodes
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_escrow.chain.proofs.receipts import decode_receipt, encode_receipt
from milestone_escrow.chain.proofs.transactions import calldata_of, encode_transaction
from milestone_escrow.chain.proofs.tries import EMPTY_ROOT, Trie, proven
from milestone_escrow.errors import EscrowError

KEY = "0x" + "11" * 32
TO = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ACCESS = [{"address": TO, "storageKeys": ["0x" + "00" * 31 + "07"]}]
COMMON: dict[str, Any] = {"nonce": 7, "to": TO, "value": 5, "gas": 21_000, "data": "0x00ff"}
PRICED = {"chainId": 1, "maxFeePerGas": 900, "maxPriorityFeePerGas": 0}


def authorization() -> dict[str, Any]:
    signed = Account.sign_authorization({"chainId": 1, "address": TO, "nonce": 0}, KEY)
    return {
        "chainId": 1, "address": TO, "nonce": 0, "yParity": signed.y_parity, "r": signed.r,
        "s": signed.s,
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {**COMMON, "gasPrice": 900, "chainId": 1},
        {**COMMON, "gasPrice": 900},
        {**COMMON, "gasPrice": 900, "chainId": 1, "type": 1, "accessList": ACCESS},
        {**COMMON, **PRICED, "type": 2, "accessList": ACCESS},
        {**COMMON, **PRICED, "type": 2, "to": b""},
        {**COMMON, **PRICED, "type": 4, "authorizationList": "one"},
    ],
    ids=["legacy", "before EIP-155", "EIP-2930", "EIP-1559", "creation", "EIP-7702"],
)
def test_every_kind_of_transaction_is_encoded_as_it_was_signed(fields: dict[str, Any]) -> None:
    if "authorizationList" in fields:
        fields = {**fields, "authorizationList": [authorization()]}
    signed = Account.sign_transaction(fields, KEY)
    shown = as_json(fields, signed)
    assert encode_transaction(shown) == bytes(signed.raw_transaction)
    to, data = calldata_of(bytes(signed.raw_transaction))
    assert to == (bytes.fromhex(TO[2:]) if fields["to"] else b"")
    assert data == b"\x00\xff"


def test_a_kind_that_nobody_knows_is_left_to_the_node() -> None:
    assert encode_transaction({"type": "0x6a"}) is None


def as_json(fields: Mapping[str, Any], signed: Any) -> dict[str, Any]:
    """A signed transaction as a node shows it."""
    shown: dict[str, Any] = {
        name: hex(value) for name, value in fields.items() if isinstance(value, int)
    }
    shown |= {
        "to": fields["to"] or None,
        "input": fields["data"],
        "type": hex(fields.get("type", 0)),
    }
    shown |= {"accessList": fields.get("accessList", []), "yParity": hex(signed.v)}
    shown |= {name: hex(getattr(signed, name)) for name in ("v", "r", "s")}
    if "authorizationList" in fields:
        shown["authorizationList"] = [
            {name: hex(value) if isinstance(value, int) else value for name, value in one.items()}
            for one in fields["authorizationList"]
        ]
    return shown


def test_a_receipt_comes_out_as_it_went_in() -> None:
    log = {"address": TO, "topics": ["0x" + "22" * 32], "data": "0x0102"}
    receipt = {
        "type": "0x2", "status": "0x1", "cumulativeGasUsed": "0x5208",
        "logsBloom": "0x" + "00" * 256, "logs": [log],
    }  # fmt: skip
    outcome = decode_receipt(encode_receipt(receipt))
    assert outcome.succeeded
    assert outcome.logs[0].topics == (b"\x22" * 32,)
    assert outcome.logs[0].data == b"\x01\x02"
    assert not decode_receipt(encode_receipt({**receipt, "type": "0x0", "status": "0x0"})).succeeded


@dataclass(frozen=True)
class Encoded:
    """As py-evm wants the entries of its tries."""

    data: bytes

    def encode(self) -> bytes:
        return self.data


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=200), st.data())
def test_every_entry_of_a_trie_is_proven_and_only_there(
    items: list[bytes], data: st.DataObject
) -> None:
    trie = Trie(items)
    assert trie.root == make_trie_root_and_nodes([Encoded(item) for item in items])[0]
    index = data.draw(st.integers(0, len(items) - 1))
    proof = trie.proof(index)
    assert proven(trie.root, index, proof) == items[index]
    with pytest.raises(EscrowError):
        proven(trie.root, len(items), proof)
    with pytest.raises(EscrowError):
        proven(b"\x01" * 32, index, proof)


def test_no_entry_no_root() -> None:
    assert Trie([]).root == EMPTY_ROOT
