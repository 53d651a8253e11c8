"""A Safe's message and signature; tests/chain asks Safe's own contracts about the same."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.safe import joined, owner_of, safe_message
from milestone_escrow.protocol.signatures import normalized

SAFE = "0x9a5BDF08a6969A4bDb7724beE3c6d8964BDc0B28"
DIGEST = b"\x42" * 32
KEYS = [bytes([number]) * 32 for number in (1, 2, 3, 4)]


def signed(key: bytes) -> bytes:
    data = encode_typed_data(full_message=safe_message(1, SAFE, DIGEST).to_json())
    return bytes(Account.sign_message(data, key).signature)


def account(key: bytes) -> str:
    return str(Account.from_key(key).address)


def test_its_domain_has_neither_name_nor_version():
    separator = keccak(
        keccak(b"EIP712Domain(uint256 chainId,address verifyingContract)")
        + (1).to_bytes(32, "big")
        + bytes(12)
        + bytes.fromhex(SAFE[2:])
    )
    struct = keccak(keccak(b"SafeMessage(bytes message)") + keccak(DIGEST))
    message = safe_message(1, SAFE, DIGEST)
    assert message.digest() == keccak(b"\x19\x01" + separator + struct)
    assert message.to_json()["types"] == {
        "EIP712Domain": [
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "SafeMessage": [{"name": "message", "type": "bytes"}],
    }


def test_other_wallets_sign_the_same_message():
    for key in KEYS:
        assert owner_of(safe_message(1, SAFE, DIGEST), signed(key)) == account(key)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 65, b"\1" * 130])
def test_refuses_what_nobody_signed(signature: bytes):
    with pytest.raises(UsageError, match="no owner's signature"):
        owner_of(safe_message(1, SAFE, DIGEST), signature)


def test_an_owner_of_another_safe_or_chain_is_somebody_else():
    signature, owner = signed(KEYS[0]), account(KEYS[0])
    for other in (safe_message(2, SAFE, DIGEST), safe_message(1, owner, DIGEST)):
        assert owner_of(other, signature) != owner


def test_signatures_stand_in_the_order_of_their_owners():
    given = {account(key): signed(key) for key in KEYS}
    whole = joined(given)
    assert len(whole) == 65 * len(KEYS)
    parts = [whole[start : start + 65] for start in range(0, len(whole), 65)]
    owners = [owner_of(safe_message(1, SAFE, DIGEST), part) for part in parts]
    assert owners == sorted(given, key=str.lower)
    assert joined(dict(reversed(given.items()))) == whole


def test_forms_of_v_become_the_one_that_contracts_read():
    good = signed(KEYS[0])
    assert normalized(good) == good
    assert normalized(good[:64] + bytes([good[64] - 27])) == good
    short = good[:32] + bytes([good[32] | (good[64] - 27) << 7]) + good[33:64]
    assert normalized(short) == good
