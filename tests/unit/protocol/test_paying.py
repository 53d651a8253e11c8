"""What is signed to pay in, beside the typehashes of the standards and another encoder."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from milestone_escrow.errors import TypedDataError, UsageError
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.paying import (
    AUTHORIZATION,
    PERMIT,
    Authorization,
    Permit,
    SignedPermit,
    authorization_nonce,
    cost,
)
from milestone_escrow.protocol.terms import Milestone

OWNER, ESCROW, USDC = ("0x" + str(n) * 40 for n in (1, 2, 3))
DOMAIN = Domain(1, USDC, "USD Coin", "2")
PERMITTED = Permit(OWNER, ESCROW, 5_000_000, 7, 1_800_000_000)
AUTHORIZED = Authorization(OWNER, ESCROW, 5_000_000, 0, 1_800_000_000, b"\7" * 32)


def test_type_hashes_are_those_of_circles_token() -> None:
    # As USDC publishes them: PERMIT_TYPEHASH and RECEIVE_WITH_AUTHORIZATION_TYPEHASH.
    assert PERMIT.type_hash.hex().startswith("6e71edae12b1b97f4d1f60370fef1010")
    assert AUTHORIZATION.type_hash.hex().startswith("d099cc98ef71107a616c4f0f941f04c3")


@pytest.mark.parametrize("what", [PERMITTED, AUTHORIZED])
def test_another_encoder_gets_the_same_digest(what: Permit | Authorization) -> None:
    data = what.typed_data(DOMAIN)
    text = data.to_json()
    text["message"] = dict(data.message)
    message = encode_typed_data(full_message=text)
    assert keccak(b"\x19" + message.version + message.header + message.body) == data.digest()


def test_the_nonce_commits_to_agreement_and_milestones() -> None:
    agreement = b"\5" * 32
    expected = keccak(encode(["bytes32", "uint256"], [agreement, 0b101]))
    assert authorization_nonce(agreement, 0b101) == expected
    assert authorization_nonce(agreement, 0b100) != expected


def test_the_cost_is_that_of_the_chosen_milestones() -> None:
    one = Milestone(10, 1, False, 0, 0, bytes(32))
    two = Milestone(7, 1, False, 0, 0, bytes(32))
    assert [cost((one, two), chosen) for chosen in (0, 1, 2, 3)] == [0, 10, 7, 17]


def test_a_contract_wallets_signature_is_no_permit() -> None:
    assert SignedPermit(PERMITTED, b"\1" * 64 + b"\x1b").vrs == (27, b"\1" * 32, b"\1" * 32)
    assert SignedPermit(PERMITTED, b"\1" * 64).vrs == (27, b"\1" * 32, b"\1" * 32)
    assert SignedPermit(PERMITTED, b"\1" * 64 + b"\1").vrs == (28, b"\1" * 32, b"\1" * 32)
    with pytest.raises(UsageError, match="65 bytes, not 130"):
        _ = SignedPermit(PERMITTED, b"\1" * 130).vrs


def test_a_wrong_value_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(TypedDataError, match=r"Permit\.value"):
        Permit(OWNER, ESCROW, -1, 0, 0).typed_data(DOMAIN).digest()
