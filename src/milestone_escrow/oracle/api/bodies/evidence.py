"""Evidence for a milestone."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from milestone_escrow.oracle.api.bodies.common import Account, Body, Hash, Index, Moment

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["5a" * 32])]


class HashOnly(Body):
    """Evidence that does not leave its house: only what it is called, its size and its hash."""

    name: str = Field(min_length=1, max_length=255, examples=["bill_of_lading.pdf"])
    sha256: Sha256
    size: Annotated[int, Field(strict=True, ge=1, le=2**53 - 1)]
    kind: str | None = Field(default=None, max_length=80, examples=["bill_of_lading"])


class EvidenceBody(Body):
    """One piece of evidence. `download` is null where only its hash was given."""

    agreement_id: Hash
    milestone: Index
    name: str
    kind: str
    media_type: str
    size: int
    sha256: Sha256
    supplied_by: Account
    role: str
    added_at: Moment
    download: str | None


class EvidenceList(Body):
    """A milestone's evidence in the order in which it came. `evidence_hash` is what an attestation
    on all of it commits to: the SHA-256 of the canonical `manifest`."""

    evidence_hash: Hash
    manifest: dict[str, Any]
    items: list[EvidenceBody]
