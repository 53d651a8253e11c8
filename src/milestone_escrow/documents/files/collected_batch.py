"""The file that travels with a batch of attestations: what is attested, and who has signed it all.

A quorum signs the same batch, so whoever signs second continues the first one's file. Every
attestation must be about an agreement that the reader knows, and its words those that were signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.collected import CollectedAttestation, read_unsigned
from milestone_escrow.documents.files.envelope import Envelope
from milestone_escrow.documents.files.signed_file import Consent, SignedFile, hexed
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.batch import Batch, batches
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import Wallets

KIND = "a batch file"
FIELDS = {"format", "batch", "signatures"}
_ENTRY = {"agreement", "milestone", "attestation", "words"}

Find = Callable[[bytes], BoundAgreement]


@dataclass(frozen=True)
class CollectedBatch(SignedFile):
    """One batch with the signatures collected so far, by account, all verified.

    `words` are those of each attestation, in the order of the batch.
    """

    batch: Batch[BoundAgreement]
    words: tuple[Mapping[str, object], ...]
    signatures: Mapping[Address, bytes]

    @property
    def items(self) -> tuple[CollectedAttestation, ...]:
        """Each attestation by itself; the signatures are of the batch only."""
        return tuple(
            CollectedAttestation(bound, attestation, words, {})
            for (bound, attestation), words in zip(self.batch.items, self.words, strict=True)
        )

    @property
    def typed_data(self) -> TypedData:
        """What each verifier signs, once."""
        return self.batch.typed_data(self.batch.items[0][0].domain)

    @property
    def missing(self) -> int:
        """How many more must sign."""
        return max(self.batch.quorum - len(self.signatures), 0)

    @property
    def is_complete(self) -> bool:
        return self.missing == 0

    @property
    def waiting_for(self) -> tuple[Address, ...]:
        """Those who verify all of it and have not signed."""
        return tuple(who for who in self.batch.signers if who not in self.signatures)

    def consent(self, who: Address) -> Consent:
        """What those sign who verify all of it."""
        if who not in self.batch.signers:
            listed = ", ".join(self.batch.signers) or "nobody"
            raise UsageError(
                f"{who} does not verify all milestones of this batch", hint=f"{listed} can sign"
            )
        return Consent(self.typed_data, who, "this batch")

    def merge(self, other: CollectedBatch) -> CollectedBatch:
        """The signatures of two files of the same batch together.

        Raises:
            UsageError: the files hold different batches.
        """
        if other.batch.attestations != self.batch.attestations:
            raise UsageError(
                "the files hold different batches",
                hint="a quorum signs the same one: let the second verifier continue the first's",
            )
        return self.with_signatures({**other.signatures, **self.signatures})

    def to_json(self) -> dict[str, object]:
        entries = []
        for item in self.items:
            fields = item.to_json()
            entries.append({name: fields[name] for name in sorted(_ENTRY)})
        return {"format": "1", "batch": entries, "signatures": hexed(self.signatures)}


def collect(
    items: Iterable[tuple[BoundAgreement, Attestation, Mapping[str, object]]],
) -> tuple[CollectedBatch, ...]:
    """The batches that these attestations make, unsigned; see `protocol.batch.batches`.

    Raises:
        UsageError: there is none, one stands there twice, or only asks for rework.
    """
    listed = list(items)
    domains = {bound.domain for bound, _, _ in listed}
    if len(domains) > 1:
        raise UsageError(
            "the batch is about agreements on different networks or contracts",
            hint="make one batch for each",
        )
    words = {attestation: said for _, attestation, said in listed}
    return tuple(
        CollectedBatch(batch, tuple(words[one] for one in batch.attestations), {})
        for batch in batches((bound, attestation) for bound, attestation, _ in listed)
    )


def load_batch(path: Path, find: Find, wallets: Wallets | None = None) -> CollectedBatch:
    """Read and verify a batch file; `find` answers for each agreement's id, `wallets` as in `add`.

    Raises:
        DocumentError: it is damaged or forged.
        UsageError: an agreement is not known here, as `find` says.
    """
    envelope = Envelope.read(path, KIND, FIELDS)
    entries = envelope.entries("batch", _ENTRY)
    items = [read_unsigned(entry, find(entry.agreement_id())) for entry in entries]
    with envelope.reading():
        found = collect((item.bound, item.attestation, item.words) for item in items)
    collected = found[0]
    if collected.batch.attestations != tuple(item.attestation for item in items):
        raise envelope.damaged("its attestations are not one batch in its order")
    return collected.with_those_in(envelope, wallets)
