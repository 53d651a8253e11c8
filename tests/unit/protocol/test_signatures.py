"""Recovery takes what the contract takes, and answers None where no account can have signed."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.signatures import compact, recover
from tests.contracts.support.people import ORDER, join, malleable, person

DIGEST = b"\x5a" * 32
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
