"""Attestations as JSON: what is written is read, everything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.signing.attestation_json import (
    Post,
    post_data,
    read_attestation,
    read_post,
)
from milestone_escrow.protocol.acts import Attestation, Verdict
from tests.oracle.signing.people import INSPECTOR, NOW, SURVEYOR

hashes = st.binary(min_size=32, max_size=32)
attestations = st.builds(
    Attestation,
    hashes,
    st.integers(0, 255),
    st.sampled_from(Verdict),
    st.integers(0, 2**128 - 1),
    hashes,
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
)
signatures = st.dictionaries(
    st.sampled_from([INSPECTOR.address, SURVEYOR.address]),
    st.binary(min_size=1, max_size=200),
    min_size=1,
)

GOOD = post_data(
    Post(Attestation(b"\1" * 32, 0, Verdict.ACCEPTED, 5, b"\2" * 32, NOW, NOW + 9),
         {INSPECTOR.address: b"\3" * 65}, {"format": "1"})
)  # fmt: skip


@given(attestations, signatures)
def test_what_is_sent_is_read(attestation: Attestation, signed: dict[str, bytes]) -> None:
    post = Post(attestation, signed, {"reason": "Größe"})
    assert read_post(json.loads(json.dumps(post_data(post)))) == post


def changed(path: str, value: Any) -> Any:
    body = json.loads(json.dumps(GOOD))
    at = body
    *way, last = path.split(".")
    for part in way:
        at = at[part]
    at[last] = value
    return body


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {**GOOD, "more": 1},
        changed("attestation", None),
        changed("attestation.more", 1),
        changed("attestation.verdict", "approved"),
        changed("attestation.verdict", 0),
        changed("attestation.verdict", True),
        changed("attestation.amount", "-1"),
        changed("attestation.amount", "05"),
        changed("attestation.amount", "1e6"),
        changed("attestation.amount", 1.5),
        changed("attestation.amount", True),
        changed("attestation.amount", str(2**128)),
        changed("attestation.amount", "٥"),
        changed("attestation.milestone", 256),
        changed("attestation.issued_at", 2**63),
        changed("attestation.evidence_hash", "0x" + "22" * 31),
        changed("attestation.evidence_hash", "22" * 32),
        changed("attestation.agreement_id", "0x" + "zz" * 32),
        changed("signatures", {}),
        changed("signatures", []),
        changed("signatures", {f"0x{n:040x}": "0x01" for n in range(33)}),
        changed("signatures", {"inspector": "0x01"}),
        changed("signatures", {INSPECTOR.address.swapcase().replace("0X", "0x"): "0x01"}),
        changed("signatures", {INSPECTOR.address: "0x"}),
        changed("signatures", {INSPECTOR.address: "0x1"}),
        changed("signatures", {INSPECTOR.address: "0x" + "00" * 20_000}),
        changed("words", "all good"),
    ],
)
def test_anything_else_is_refused(body: object) -> None:
    with pytest.raises(UsageError):
        read_post(body)


def test_an_account_may_be_in_small_letters() -> None:
    body = changed("signatures", {INSPECTOR.address.lower(): "0x01"})
    assert list(read_post(body).signatures) == [INSPECTOR.address]


def test_a_verdict_may_be_its_number() -> None:
    body = changed("attestation.verdict", 3)
    assert read_attestation(body["attestation"]).verdict is Verdict.RETURNED
