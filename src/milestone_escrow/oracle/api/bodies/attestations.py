"""Attestations on their way to a quorum."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from milestone_escrow.oracle.api.bodies.common import (
    Account,
    Amount,
    Body,
    Hash,
    HexBytes,
    Index,
    Moment,
    Person,
    Seconds,
    UnitsText,
)

VerdictName = Literal["accepted", "rejected", "returned"]
StageName = Literal["open", "complete", "settled", "dead"]


class AttestationFields(Body):
    """What the verifiers sign: `Attestation` of the contract's EIP-712 domain."""

    agreement_id: Hash
    milestone: Annotated[int, Field(strict=True, ge=0, le=59)]
    verdict: VerdictName
    amount: UnitsText
    evidence_hash: Hash
    issued_at: Seconds
    valid_until: Seconds


class AttestationPost(Body):
    """An attestation with signatures by account. `words` are the files and the reason that its
    evidence hash stands for, where the verifier wants them known."""

    attestation: AttestationFields
    signatures: Annotated[dict[Account, HexBytes], Field(min_length=1, max_length=32)]
    words: dict[str, Any] | None = None


class RefusalBody(Body):
    """A signature that was not taken, and why."""

    account: Account | None
    error: str
    reason: str


class TakenBody(Body):
    """What became of a posted attestation: whose signatures are new, and how far the quorum is."""

    digest: Hash
    state: StageName
    added: list[Account]
    known: list[Account]
    refused: list[RefusalBody]
    signers: list[Account]
    quorum: int
    is_complete: bool
    evidence: Literal["none", "manifest", "words", "unknown"]


class AttestationBody(Body):
    """One attestation. `missing` is how many signatures the quorum still lacks, `waiting_for`
    whose could complete it. Who has signed it in one of its `batches` is among the `signers`, but
    only the batch's own quorum counts these. `reason` and `words` are for the agreement's own
    people."""

    digest: Hash
    attestation: AttestationFields
    amount: Amount
    state: StageName
    signers: list[Person]
    missing: int
    waiting_for: list[Person]
    received_at: Moment
    reason: str | None
    words: dict[str, Any] | None
    batches: list[Hash] = Field(description="Digests of those that hold it; see /v1/batches")
    calldata: str | None = Field(description="Where its calldata is, once the quorum is complete")


class AttestationList(Body):
    """The attestations of a milestone, the newest first."""

    quorum: int
    verifiers: list[Person]
    items: list[AttestationBody]


class CalldataBody(Body):
    """A transaction that anybody may send: it does what the quorum has signed."""

    chain_id: int
    to: Account
    data: HexBytes
    value: Literal["0"]
    signers: list[Account]


class FindingBody(Body):
    """What one requirement comes to, and those within it."""

    requirement: str
    state: Literal["met", "missing", "failed"]
    text: str
    since: Moment | None
    independent: bool
    items: list[FindingBody]


class RequirementsBody(Body):
    """Whether what must be shown for a milestone has been shown, with reasons."""

    agreement_id: Hash
    milestone: Index
    requirements_hash: Hash
    at: Moment
    finding: FindingBody


class ReceivedBody(Body):
    """An event that was taken in; `is_new` is false where the same delivery came before."""

    source: str
    event: str
    agreement_id: Hash
    milestone: Index
    is_new: bool
