"""A batch of attestations with signatures as JSON; reading is as strict as of a single one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.signing.attestation_json import (
    attestation_data,
    read_attestation,
    read_fields,
    read_mapping,
    read_signatures,
    signatures_data,
)
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import Address

MAX_ITEMS = 50
"""Attestations in one batch: more would come near what one transaction may cost."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """An attestation, and what its evidence hash commits to; `words` may be empty."""

    attestation: Attestation
    words: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BatchPost:
    """Attestations in the order in which they are signed, and signatures of all of them."""

    items: tuple[BatchItem, ...]
    signatures: Mapping[Address, bytes]


def batch_data(post: BatchPost) -> dict[str, object]:
    """What a client sends."""
    return {
        "items": [
            {
                "attestation": attestation_data(item.attestation),
                **({"words": dict(item.words)} if item.words else {}),
            }
            for item in post.items
        ],
        "signatures": signatures_data(post.signatures),
    }


def read_batch(body: object) -> BatchPost:
    """What a client sent.

    Raises:
        UsageError: it does not have exactly this form, or holds too much.
    """
    fields = read_fields(body, "the body", {"items", "signatures"})
    listed = fields["items"]
    if not isinstance(listed, (list, tuple)) or not listed:
        raise UsageError("items is not a list of attestations")
    if len(listed) > MAX_ITEMS:
        raise UsageError(
            f"the batch holds {len(listed)} attestations, allowed are {MAX_ITEMS}",
            hint="sign several smaller batches",
        )
    return BatchPost(tuple(map(_item, listed)), read_signatures(fields["signatures"]))


def _item(value: object) -> BatchItem:
    fields = read_fields(value, "an item", {"attestation"}, {"words"})
    attestation = read_attestation(fields["attestation"])
    return BatchItem(attestation, read_mapping(fields.get("words", {}), "words"))
