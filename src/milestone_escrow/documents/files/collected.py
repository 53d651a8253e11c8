"""The file that travels with an attestation: what was attested, and who has signed it so far.

A quorum signs the same words, so whoever signs second continues the first one's file. Only the
milestone's own verifiers count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.canonical import canonical_json, sha256
from milestone_escrow.documents.files.envelope import Envelope, heading
from milestone_escrow.documents.files.signed_file import Consent, SignedFile, hexed
from milestone_escrow.documents.manifest import Manifest
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address, TypedData
from milestone_escrow.protocol.signatures import Wallets
from milestone_escrow.protocol.terms import Milestone

KIND = "an attestation file"
_FIELDS = {"format", "agreement", "milestone", "attestation", "words", "signatures"}


def words_of(manifest: Manifest | None, reason: str = "") -> dict[str, object]:
    """What an evidence hash commits to, in people's words: the files, and the reason if any."""
    files: list[object] = [file.data() for file in manifest.files] if manifest else []
    words: dict[str, object] = {"format": "1", "files": files}
    return {**words, "reason": reason} if reason else words


def words_hash(words: Mapping[str, object]) -> bytes:
    """SHA-256 of the words in canonical form; zero where there are none.

    Without a reason this is the manifest's own hash.
    """
    if not words.get("files") and not words.get("reason"):
        return ZERO_HASH
    return sha256(canonical_json(dict(words)))


@dataclass(frozen=True)
class CollectedAttestation(SignedFile):
    """One attestation with the signatures collected so far, by account, all verified."""

    bound: BoundAgreement
    attestation: Attestation
    words: Mapping[str, object]
    signatures: Mapping[Address, bytes]

    @property
    def planned(self) -> PlannedMilestone:
        return self.bound.agreement.milestones[self.attestation.milestone]

    @property
    def milestone(self) -> Milestone:
        return self.bound.milestones[self.attestation.milestone]

    @property
    def verifiers(self) -> tuple[Address, ...]:
        """The milestone's verifiers, ascending."""
        return self.bound.terms.verifiers_of(self.milestone)

    @property
    def is_complete(self) -> bool:
        return len(self.signatures) >= self.milestone.quorum

    @property
    def missing(self) -> int:
        """How many more must sign."""
        return max(self.milestone.quorum - len(self.signatures), 0)

    @property
    def waiting_for(self) -> tuple[Address, ...]:
        """The verifiers who have not signed."""
        return tuple(account for account in self.verifiers if account not in self.signatures)

    @property
    def reason(self) -> str:
        return str(self.words.get("reason", ""))

    @property
    def typed_data(self) -> TypedData:
        return self.attestation.typed_data(self.bound.domain)

    def consent(self, who: Address) -> Consent:
        """What the milestone's verifiers sign, and nobody else."""
        if who not in self.verifiers:
            names = ", ".join(map(self._name, self.verifiers)) or "nobody"
            raise UsageError(
                f"{self._name(who)} is not a verifier of '{self.planned.key}'",
                hint=f"those are {names}",
            )
        whose = f"the signature of {self._name(who)}"
        return Consent(self.typed_data, who, "this attestation", whose)

    def merge(self, other: CollectedAttestation) -> CollectedAttestation:
        """The signatures of two files of the same attestation together.

        Raises:
            UsageError: the files hold different attestations.
        """
        if other.attestation != self.attestation:
            raise UsageError(
                f"the files hold different attestations of '{self.planned.key}' and "
                f"'{other.planned.key}'",
                hint="a quorum signs the same one: let the second verifier continue the first's",
            )
        return self.with_signatures({**other.signatures, **self.signatures})

    def to_json(self) -> dict[str, object]:
        return {
            "format": "1",
            "agreement": heading(self.bound),
            "milestone": self.planned.key,
            "attestation": self.typed_data.to_json()["message"],
            "words": dict(self.words),
            "signatures": hexed(self.signatures),
        }

    def _name(self, account: Address) -> str:
        roles = self.bound.agreement.roles(account)
        return f"{roles[0]} ({self.bound.agreement.name(roles[0])})" if roles else account


def agreement_id_in(path: Path) -> bytes:
    """Which agreement an attestation file says it is about, before anything is verified.

    Raises:
        DocumentError: it is not such a file.
    """
    return Envelope.read(path, KIND, _FIELDS).agreement_id()


def load_attestation(
    path: Path, bound: BoundAgreement, wallets: Wallets | None = None
) -> CollectedAttestation:
    """Read and verify an attestation file of an agreement; `wallets` as in `add`.

    Raises:
        DocumentError: it is damaged, forged, or about another agreement.
    """
    envelope = Envelope.read(path, KIND, _FIELDS)
    envelope.require(bound)
    return read_unsigned(envelope, bound).with_those_in(envelope, wallets)


def read_unsigned(envelope: Envelope, bound: BoundAgreement) -> CollectedAttestation:
    """What an envelope attests, without the signatures that it may hold.

    Raises:
        DocumentError: its parts do not fit each other, or the agreement.
    """
    attestation, words = _attestation(envelope, bound), envelope.group("words")
    collected = CollectedAttestation(bound, attestation, words, {})
    if collected.to_json() != {**envelope.fields, "format": "1", "signatures": {}}:
        raise envelope.damaged("its parts do not fit each other")
    return collected


def _attestation(envelope: Envelope, bound: BoundAgreement) -> Attestation:
    attestation = envelope.struct(Attestation, "attestation")
    if attestation.milestone >= len(bound.milestones):
        raise envelope.damaged("its milestone does not exist")
    if attestation.agreement_id != bound.id:
        raise envelope.damaged("it attests another agreement")
    if attestation.evidence_hash != words_hash(envelope.group("words")):
        raise envelope.damaged("the evidence listed is not what was signed")
    return attestation


def merged(files: Sequence[CollectedAttestation]) -> CollectedAttestation:
    """All files of one attestation together; see `merge`."""
    result = files[0]
    for other in files[1:]:
        result = result.merge(other)
    return result
