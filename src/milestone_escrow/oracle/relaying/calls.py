"""The calldata of what the relayer sends, which anybody else may send just as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milestone_escrow.chain.contract.batching import batch_tuples
from milestone_escrow.chain.contract.deciding import by_verifier
from milestone_escrow.chain.contract.preparing import call
from milestone_escrow.chain.contract.structs import (
    attestation_tuple,
    milestone_index,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.chain.refusals.naming import milestone_name
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.batch import Batch
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.protocol.signatures import by_key


def attest_call(
    agreement: OpenAgreement,
    attestation: Attestation,
    digest: bytes,
    signatures: Mapping[Address, bytes],
) -> bytes:
    """`attest` with as many signatures as the milestone's quorum asks, by account.

    Each further one costs gas. Keys come before contract wallets, whose answer may change.

    Raises:
        UsageError: somebody signed who does not verify this milestone.
    """
    index = milestone_index(agreement, attestation.milestone)
    milestone = agreement.milestones[index]
    chosen = _cheapest(digest, signatures, milestone.quorum)
    allowed = agreement.terms.verifiers_of(milestone)
    what = milestone_name(agreement, index)
    signers, compacted = by_verifier(agreement, allowed, what, digest, chosen)
    return call(
        "attest",
        terms_tuple(agreement.terms),
        reference_tuple(agreement, index),
        attestation_tuple(attestation),
        signers,
        compacted,
    )


def batch_call(
    batch: Batch[OpenAgreement], digest: bytes, signatures: Mapping[Address, bytes]
) -> bytes:
    """`attestBatch` with as many signatures as its most demanding milestone asks, by account.

    Raises:
        UsageError: somebody signed who does not verify all of it.
    """
    chosen = _cheapest(digest, signatures, batch.quorum)
    first = batch.items[0][0]
    what = "all milestones of the batch"
    signers, compacted = by_verifier(first, batch.signers, what, digest, chosen)
    return call("attestBatch", batch_tuples(batch), signers, compacted)


def finalize_call(agreement: OpenAgreement, milestone: int) -> bytes:
    """`finalize` of one milestone."""
    reference = reference_tuple(agreement, milestone_index(agreement, milestone))
    return call("finalize", terms_tuple(agreement.terms), reference)


def together(calls: Sequence[bytes]) -> bytes:
    """Several calls in one transaction: all of them or none."""
    return call("multicall", list(calls))


def _cheapest(
    digest: bytes, signatures: Mapping[Address, bytes], quorum: int
) -> dict[Address, bytes]:
    ordered = sorted(signatures, key=lambda who: (not by_key(who, digest, signatures[who]), who))
    return {who: signatures[who] for who in ordered[:quorum]}
