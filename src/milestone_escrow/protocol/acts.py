"""What people sign about an open agreement: attestations, acts, and consents to a role.

Amounts are token units, times Unix seconds. `epoch` counts a milestone's changes of status and its
verdicts, so that what was signed about it as it was dies by itself; what is paid by consent, and
handing it on, leave it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from milestone_escrow.protocol.eip712 import Address, Domain, Field, Message, Struct, TypedData


class Verdict(IntEnum):
    """A verifier's verdict. 0 is invalid, so that a forgotten field can never approve."""

    ACCEPTED = 1
    REJECTED = 2
    RETURNED = 3


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verifier's signed verdict; `amount` is cumulative, 0 unless accepted."""

    agreement_id: bytes
    milestone: int
    verdict: Verdict
    amount: int
    evidence_hash: bytes
    issued_at: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What a verifier signs."""
        return TypedData(domain, ATTESTATION, self.message())

    def message(self) -> Message:
        """The fields under their Solidity names, for the typed-data codec."""
        return {**ATTESTATION.of(self), "verdict": int(self.verdict)}


def batch_typed_data(domain: Domain, attestations: Sequence[Attestation]) -> TypedData:
    """What a verifier signs once for many attestations."""
    return TypedData(domain, BATCH, {"attestations": [a.message() for a in attestations]})


@dataclass(frozen=True, slots=True)
class Submission:
    """The payee states that a milestone is done."""

    agreement_id: bytes
    milestone: int
    evidence_hash: bytes
    epoch: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the payee signs."""
        return typed_act(domain, SUBMISSION, self)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A party objects to what is about to go against it."""

    agreement_id: bytes
    milestone: int
    reason_hash: bytes
    epoch: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the disputing party signs."""
        return typed_act(domain, DISPUTE, self)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The arbiter's split of what is disputed."""

    agreement_id: bytes
    milestone: int
    to_payee: int
    to_buyer: int
    reason_hash: bytes
    epoch: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the arbiter signs."""
        return typed_act(domain, RULING, self)


@dataclass(frozen=True, slots=True)
class Resolution:
    """A split of what is held then, signed by whoever gives something up."""

    agreement_id: bytes
    milestone: int
    to_payee: int
    to_buyer: int
    held: int
    epoch: int
    valid_until: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the buyer signs if the payee receives, and the payee if the buyer does."""
        return typed_act(domain, RESOLUTION, self)


@dataclass(frozen=True, slots=True)
class Appointment:
    """A verifier or arbiter confirms that the account is theirs and takes the role.

    It is never sent to the contract: it protects both parties from a mistyped account.
    """

    agreement_id: bytes
    role: str
    account: Address

    def typed_data(self, domain: Domain) -> TypedData:
        """What the person appointed signs."""
        message = {"agreementId": self.agreement_id, "role": self.role, "account": self.account}
        return TypedData(domain, APPOINTMENT, message)


def typed_act(domain: Domain, struct: Struct, act: object) -> TypedData:
    """An act whose attributes are the struct's fields in snake case."""
    return TypedData(domain, struct, struct.of(act))


ATTESTATION = Struct(
    "Attestation",
    (
        Field("bytes32", "agreementId"),
        Field("uint256", "milestone"),
        Field("uint8", "verdict"),
        Field("uint128", "amount"),
        Field("bytes32", "evidenceHash"),
        Field("uint64", "issuedAt"),
        Field("uint64", "validUntil"),
    ),
)
# A struct's name sorts before its members': wallets that frame what they sign (ERC-7739) put the
# types together in either order, and only then both are the same.
BATCH = Struct("AttestBatch", (Field("Attestation[]", "attestations"),), members=(ATTESTATION,))
TARGET = (Field("bytes32", "agreementId"), Field("uint256", "milestone"))
_SPLIT = (Field("uint128", "toPayee"), Field("uint128", "toBuyer"))
EPOCH = Field("uint16", "epoch")
HELD = Field("uint128", "held")
UNTIL = Field("uint64", "validUntil")
_REASON = Field("bytes32", "reasonHash")

SUBMISSION = Struct("Submission", (*TARGET, Field("bytes32", "evidenceHash"), EPOCH, UNTIL))
DISPUTE = Struct("Dispute", (*TARGET, _REASON, EPOCH, UNTIL))
RULING = Struct("Ruling", (*TARGET, *_SPLIT, _REASON, EPOCH, UNTIL))
RESOLUTION = Struct("Resolution", (*TARGET, *_SPLIT, HELD, EPOCH, UNTIL))
APPOINTMENT = Struct(
    "Appointment",
    (Field("bytes32", "agreementId"), Field("string", "role"), Field("address", "account")),
)
