"""An attestation with signatures as JSON: what the interface takes and what a client sends.

Numbers of any size are text, bytes 0x and hex. Reading is strict: what does not fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address

_HEX = re.compile(r"0x([0-9a-fA-F]{2})*")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}")
MAX_SIGNATURE = 16 * 1024
"""Bytes of one signature: a contract wallet's holds those of its owners."""

MAX_SIGNATURES = 32

_ATTESTATION = (
    "agreement_id",
    "milestone",
    "verdict",
    "amount",
    "evidence_hash",
    "issued_at",
    "valid_until",
)


@dataclass(frozen=True, slots=True)
class Post:
    """An attestation, signatures of it by account, and what its evidence hash commits to.

    `words` may be empty: then only whoever has them knows what the hash means.
    """

    attestation: Attestation
    signatures: Mapping[Address, bytes]
    words: Mapping[str, object] = field(default_factory=dict)


def attestation_data(attestation: Attestation) -> dict[str, object]:
    """An attestation's fields; the verdict as its word."""
    return {
        "agreement_id": "0x" + attestation.agreement_id.hex(),
        "milestone": attestation.milestone,
        "verdict": attestation.verdict.name.lower(),
        "amount": str(attestation.amount),
        "evidence_hash": "0x" + attestation.evidence_hash.hex(),
        "issued_at": attestation.issued_at,
        "valid_until": attestation.valid_until,
    }


def post_data(post: Post) -> dict[str, object]:
    """What a client sends."""
    return {
        "attestation": attestation_data(post.attestation),
        "signatures": signatures_data(post.signatures),
        **({"words": dict(post.words)} if post.words else {}),
    }


def read_post(body: object) -> Post:
    """What a client sent.

    Raises:
        UsageError: it does not have exactly this form.
    """
    fields = read_fields(body, "the body", {"attestation", "signatures"}, {"words"})
    return Post(
        read_attestation(fields["attestation"]),
        read_signatures(fields["signatures"]),
        read_mapping(fields.get("words", {}), "words"),
    )


def signatures_data(signatures: Mapping[Address, bytes]) -> dict[str, str]:
    """Signatures by account, as 0x and hex."""
    return {account: "0x" + signature.hex() for account, signature in signatures.items()}


def read_signatures(value: object) -> dict[Address, bytes]:
    """Signatures by account; at least one.

    Raises:
        UsageError: there are none, or too many, or one is none.
    """
    found = read_mapping(value, "signatures")
    if not 1 <= len(found) <= MAX_SIGNATURES:
        raise UsageError(f"{len(found)} signatures, allowed are 1 to {MAX_SIGNATURES}")
    return {read_account(account): _signature(one) for account, one in found.items()}


def read_attestation(data: object) -> Attestation:
    """An attestation out of its fields.

    Raises:
        UsageError: a field is missing, unknown, or not of its type.
    """
    fields = read_fields(data, "the attestation", set(_ATTESTATION))
    return Attestation(
        agreement_id=read_hash(fields["agreement_id"], "agreement_id"),
        milestone=read_whole(fields["milestone"], "milestone", 255),
        verdict=_verdict(fields["verdict"]),
        amount=read_whole(fields["amount"], "amount", 2**128 - 1),
        evidence_hash=read_hash(fields["evidence_hash"], "evidence_hash"),
        issued_at=read_whole(fields["issued_at"], "issued_at", 2**63 - 1),
        valid_until=read_whole(fields["valid_until"], "valid_until", 2**63 - 1),
    )


def read_hash(value: object, name: str) -> bytes:
    """32 bytes."""
    found = read_hex(value, name)
    if len(found) != 32:
        raise UsageError(f"{name} has {len(found)} bytes, not 32")
    return found


def read_hex(value: object, name: str) -> bytes:
    """Bytes as 0x and hex."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise UsageError(f"{name} is not bytes as 0x and hex digits")
    return bytes.fromhex(value[2:])


def read_whole(value: object, name: str, high: int) -> int:
    """A whole number from 0 to `high`, as a number or as text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} is not a whole number")
    if not 0 <= value <= high:
        raise UsageError(f"{name} is out of bounds, allowed are 0 to {high}")
    return value


def _verdict(value: object) -> Verdict:
    for verdict in Verdict:
        if value in (verdict.name.lower(), int(verdict)) and not isinstance(value, bool):
            return verdict
    words = ", ".join(verdict.name.lower() for verdict in Verdict)
    raise UsageError("there is no such verdict", hint=f"one of {words}")


def read_account(value: object) -> Address:
    """An account: with its checksum, or without one in small letters."""
    from eth_utils.address import is_checksum_address, to_checksum_address

    if isinstance(value, str) and len(value) == 42 and _HEX.fullmatch(value):
        if value == value.lower():
            return str(to_checksum_address(value))
        if is_checksum_address(value):
            return value
    raise UsageError("an account is not 0x and 40 hex digits with the right checksum")


def _signature(value: object) -> bytes:
    found = read_hex(value, "a signature")
    if not found or len(found) > MAX_SIGNATURE:
        raise UsageError(f"a signature has {len(found)} bytes, allowed are 1 to {MAX_SIGNATURE}")
    return found


def read_fields(
    value: object, name: str, required: Set[str], allowed: Set[str] = frozenset()
) -> Mapping[str, object]:
    """An object with all of the fields `required`, and none that are not `allowed` either."""
    found = read_mapping(value, name)
    missing, unknown = required - set(found), set(found) - required - allowed
    if missing or unknown:
        raise UsageError(
            f"{name} has missing fields {sorted(missing)}, unknown fields {sorted(unknown)}"
        )
    return found


def read_mapping(value: object, name: str) -> Mapping[str, object]:
    """An object, whatever it holds."""
    if not isinstance(value, Mapping) or any(not isinstance(key, str) for key in value):
        raise UsageError(f"{name} is not an object")
    return value
