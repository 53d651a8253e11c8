"""Batches: attestations that each verifier signs at once."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from milestone_escrow.oracle.api.bodies.attestations import (
    AttestationFields,
    CalldataBody,
    StageName,
)
from milestone_escrow.oracle.api.bodies.common import (
    Account,
    Amount,
    Body,
    Hash,
    HexBytes,
    Moment,
    Person,
)
from milestone_escrow.oracle.signing.batch_json import MAX_ITEMS


class BatchItemPost(Body):
    """One attestation. `words` are the files and the reason that its evidence hash stands for."""

    attestation: AttestationFields
    words: dict[str, Any] | None = None


class BatchPostBody(Body):
    """Attestations of agreements with the same verifiers, ordered by agreement and milestone, and
    signatures of `AttestationBatch` over all of them, by account."""

    # Said here, and refused with the way out by who reads it.
    items: Annotated[
        list[BatchItemPost], Field(min_length=1, json_schema_extra={"maxItems": MAX_ITEMS})
    ]
    signatures: Annotated[dict[Account, HexBytes], Field(min_length=1, max_length=32)]


class BatchTakenBody(Body):
    """What became of a posted batch: whose signatures are new, and who else can sign."""

    digest: Hash
    state: StageName
    added: list[Account]
    known: list[Account]
    signers: list[Account]
    waiting_for: list[Account]
    quorum: int
    is_complete: bool


class BatchItemBody(Body):
    """One attestation of a batch. `reason` and `words` are for its agreement's own people."""

    digest: Hash
    attestation: AttestationFields
    amount: Amount
    state: StageName
    reason: str | None
    words: dict[str, Any] | None


class BatchBody(Body):
    """A batch, its items in the order in which they are signed. `waiting_for` can still sign all
    of it; `calldata` is there once it can be sent, by anybody."""

    digest: Hash
    state: StageName
    quorum: int
    signers: list[Person]
    missing: int
    waiting_for: list[Person]
    received_at: Moment
    valid_until: Moment
    items: list[BatchItemBody]
    calldata: CalldataBody | None
