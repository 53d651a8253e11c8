"""Many milestones decided by one signature of each verifier, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.deciding import by_verifier
from milestone_escrow.chain.contract.events import AttestationSkipped, MilestoneAttested
from milestone_escrow.chain.contract.preparing import Preparer, Signatures, call
from milestone_escrow.chain.contract.reader import CONTRACT, Reader
from milestone_escrow.chain.contract.structs import (
    OpenAgreement,
    attestation_tuple,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.chain.send.transactions import Prepared, Receipt
from milestone_escrow.errors import LifecycleError, UsageError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.batch import Batch, batches

Attested: TypeAlias = "Batch[OpenAgreement] | Iterable[tuple[OpenAgreement, Attestation]]"

_SKIPPED = {
    "WrongStatus": "no verdict can change it any more",
    "TooLate": "its time was over",
    "SignatureExpired": "the attestation has expired",
    "IssuedAtOutOfBounds": "a newer attestation was there already, or this one is from the future",
    "AmountOutOfBounds": "so much was paid already",
}


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one attestation; `skipped` is the contract's error, "" where it decided."""

    agreement: OpenAgreement
    attestation: Attestation
    skipped: str = ""

    @property
    def reason(self) -> str:
        """Why it was skipped, for people."""
        return _SKIPPED.get(self.skipped, self.skipped)


class BatchVerbs(Preparer):
    """One transaction, many milestones."""

    def attest_batch(self, attested: Attested, signatures: Signatures) -> Prepared:
        """Decide by a quorum that signed all of it once; what can no longer be decided is skipped.

        Raises:
            UsageError: the attestations do not make one batch, or a stranger signed it.
        """
        batch = one_batch(attested)
        agreement = batch.items[0][0]
        digest = batch.typed_data(self._reader.domain).digest()
        what = "all milestones of the batch"
        signers, ordered = by_verifier(agreement, batch.signers, what, digest, signatures)
        data = call("attestBatch", batch_tuples(batch), signers, ordered)
        return self._prepare("attest", agreement, None, data)


def batch_tuples(batch: Batch[OpenAgreement]) -> list[tuple[object, ...]]:
    """`BatchItem[]` for the ABI encoder."""
    return [
        (
            terms_tuple(one.terms),
            reference_tuple(one, attestation.milestone),
            attestation_tuple(attestation),
        )
        for one, attestation in batch.items
    ]


def one_batch(attested: Attested) -> Batch[OpenAgreement]:
    """The batch that these attestations make.

    Raises:
        UsageError: they make none, or several; see `protocol.batch.batches`.
    """
    if isinstance(attested, Batch):
        return attested
    found = batches(attested)
    if len(found) > 1:
        raise UsageError(
            f"these attestations make {len(found)} batches: their verifiers differ",
            hint="sign and send each batch by itself",
        )
    return found[0]


def batch_results(batch: Batch[OpenAgreement], receipt: Receipt) -> tuple[BatchResult, ...]:
    """What the transaction did with each attestation, in the order of the batch."""
    told = [e for e in receipt.events if isinstance(e, (MilestoneAttested, AttestationSkipped))]
    return tuple(
        BatchResult(agreement, attestation, _error(event))
        for (agreement, attestation), event in zip(batch.items, told, strict=True)
    )


def foresee(reader: Reader, batch: Batch[OpenAgreement]) -> tuple[BatchResult, ...]:
    """What the batch would do if it were sent now, by the status table."""
    return tuple(_foreseen(reader, batch))


def _foreseen(reader: Reader, batch: Batch[OpenAgreement]) -> Iterator[BatchResult]:
    now = reader.now()
    states = {agreement.id: list(reader.states(agreement)) for agreement, _ in batch.items}
    for agreement, what in batch.items:
        known = states[agreement.id]
        milestone, state = agreement.milestones[what.milestone], known[what.milestone]
        try:
            after = transitions.attest(agreement.terms, milestone, state, what, now)
        except LifecycleError as error:
            yield BatchResult(agreement, what, str(error.fields["error"]))
        else:
            known[what.milestone] = after.state
            yield BatchResult(agreement, what)


def _error(event: MilestoneAttested | AttestationSkipped) -> str:
    if isinstance(event, MilestoneAttested):
        return ""
    entry = interface(CONTRACT).errors.get(event.reason)
    return entry.name if entry else f"0x{event.reason.hex()}"
