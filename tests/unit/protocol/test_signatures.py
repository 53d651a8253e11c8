"""Recovery takes what the contract takes, and answers None where no account can have signed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import (
    by_key,
    compact,
    is_signed,
    is_wrapped,
    recover,
    settled,
    signer_of,
    unwrapped,
)
from tests.contracts.support.people import ORDER, join, malleable, person

DIGEST = b"\x5a" * 32
_MAGIC = bytes.fromhex("6492" * 16)
SIGNER = person("inspector")
SIGNATURE = SIGNER.sign(DIGEST)


def test_recovers_from_65_and_from_64_bytes() -> None:
    assert recover(DIGEST, SIGNATURE) == SIGNER.address
    assert recover(DIGEST, compact(SIGNATURE)) == SIGNER.address


@given(key=st.integers(1, ORDER - 1), digest=st.binary(min_size=32, max_size=32))
def test_recovers_whoever_signed(key: int, digest: bytes) -> None:
    account = Account.from_key(key.to_bytes(32, "big"))
    signature = bytes(account.unsafe_sign_hash(digest).signature)
    assert recover(digest, signature) == account.address
    short = compact(signature)
    assert len(short) == 64
    assert recover(digest, short) == account.address


def test_another_digest_gives_another_account() -> None:
    assert recover(b"\x5b" * 32, SIGNATURE) != SIGNER.address


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 37, 255])
def test_answers_none_for_every_other_v(v: int) -> None:
    assert recover(DIGEST, SIGNATURE[:64] + bytes([v])) is None


def test_answers_none_for_the_malleable_twin() -> None:
    assert recover(DIGEST, malleable(SIGNATURE)) is None


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (1, 0), (0, 0), (ORDER, 1), (ORDER + 1, 1), (2**256 - 1, 1), (1, ORDER)],
)
def test_answers_none_where_numbers_are_out_of_range(r: int, s: int) -> None:
    for v in (27, 28):
        assert recover(DIGEST, join(r, s, v)) is None


def test_takes_the_highest_s_that_is_low() -> None:
    """The bound itself: half the order is low, one more is not."""
    half = ORDER // 2
    assert recover(DIGEST, join(1, half, 27)) is not None
    assert recover(DIGEST, join(1, half + 1, 27)) is None


@pytest.mark.parametrize("length", [0, 1, 32, 63, 66, 130])
def test_refuses_other_lengths(length: int) -> None:
    with pytest.raises(UsageError, match=f"64 or 65 bytes, not {length}"):
        recover(DIGEST, (SIGNATURE * 3)[:length])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_answers_none_for_what_is_no_digest(size: int) -> None:
    assert recover(bytes(size), SIGNATURE) is None


@pytest.mark.parametrize("v", [0, 1, 29])
def test_compact_leaves_what_has_no_short_form(v: int) -> None:
    odd = SIGNATURE[:64] + bytes([v])
    assert compact(odd) == odd
    assert compact(b"\x01" * 64) == b"\x01" * 64
    assert compact(malleable(SIGNATURE)) == malleable(SIGNATURE)


def test_compact_keeps_r_and_s_and_folds_v() -> None:
    short = compact(SIGNATURE)
    assert short[:32] == SIGNATURE[:32]
    assert short[32] >> 7 == SIGNATURE[64] - 27
    assert short[33:] == SIGNATURE[33:64]


def zero_based(signature: bytes) -> bytes:
    return signature[:64] + bytes([signature[64] - 27])


def wrapped(signature: bytes) -> bytes:
    """As a wallet signs that is not deployed yet (ERC-6492)."""
    factory = "0x" + "ca" * 20
    return encode(["address", "bytes", "bytes"], [factory, b"deploy", signature]) + _MAGIC


FORMS = pytest.mark.parametrize(
    "form", [bytes, zero_based, compact], ids=["v 27/28", "v 0/1", "EIP-2098"]
)


@FORMS
def test_every_form_of_a_keys_signature_settles_to_one(form: Callable[[bytes], bytes]) -> None:
    assert settled(SIGNER.address, DIGEST, form(SIGNATURE)) == SIGNATURE
    assert by_key(SIGNER.address, DIGEST, form(SIGNATURE)) == SIGNATURE
    assert signer_of(DIGEST, form(SIGNATURE)) == SIGNER.address
    assert is_signed(1, SIGNER.address, DIGEST, form(SIGNATURE))


@FORMS
def test_somebody_elses_signature_stays_as_it_is(form: Callable[[bytes], bytes]) -> None:
    """A contract wallet's last byte means something of its own: a Safe's 1 is a standing approval,
    not a recovery bit."""
    wallet = person("stranger").address
    assert settled(wallet, DIGEST, form(SIGNATURE)) == form(SIGNATURE)
    assert by_key(wallet, DIGEST, form(SIGNATURE)) is None
    assert not is_signed(1, wallet, DIGEST, form(SIGNATURE))


@pytest.mark.parametrize("length", [0, 1, 63, 66, 130])
def test_other_lengths_are_no_keys(length: int) -> None:
    assert by_key(SIGNER.address, DIGEST, b"\1" * length) is None
    assert signer_of(DIGEST, b"\1" * length) is None


@given(inner=st.binary(max_size=300))
def test_a_wallet_that_signed_before_its_deployment_is_unwrapped(inner: bytes) -> None:
    assert is_wrapped(wrapped(inner))
    assert settled(SIGNER.address, DIGEST, wrapped(inner)) == inner


@given(start=st.binary(max_size=200))
def test_what_only_ends_like_a_wrapping_stays(start: bytes) -> None:
    assert unwrapped(start + _MAGIC) in (start + _MAGIC, *decoded(start))


def decoded(start: bytes) -> list[bytes]:
    try:
        return [decode(["address", "bytes", "bytes"], start)[2]]
    except (DecodingError, OverflowError):
        return []


def test_a_contract_is_asked_about_what_it_takes() -> None:
    asked: list[bytes] = []

    class Asked:
        def accepts(self, chain: int, account: Address, digest: bytes, signature: bytes) -> bool:
            asked.append(signature)
            return True

    assert is_signed(1, "0x" + "C0" * 20, DIGEST, wrapped(b"inner"), Asked())
    assert asked == [b"inner"]
