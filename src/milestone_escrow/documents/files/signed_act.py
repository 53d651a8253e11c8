"""The file that carries signed acts to whoever sends them: submissions, disputes, rulings, splits,
assignments, offers.

It names its agreement and milestones for people, holds each act as it was signed and the words that
its hash commits to, which must be those that were signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, get_args

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.canonical import sha256
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.files.envelope import Envelope, dumps, heading
from milestone_escrow.documents.files.signed_file import Collected, Consent, hexed
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import assert_never
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address, TypedData
from milestone_escrow.protocol.receivables import Assignment, Offer
from milestone_escrow.protocol.signatures import Wallets

Act: TypeAlias = Submission | Dispute | Ruling | Resolution | Assignment | Offer

KIND = "a file of signed acts"
FIELDS = {"format", "agreement", "acts"}
_ACT_FIELDS = {"milestone", "act", "message", "words", "signatures"}

ACTS: Mapping[str, type[Act]] = {kind.__name__.lower(): kind for kind in get_args(Act)}


def reason_hash(reason: str) -> bytes:
    """SHA-256 of a reason's text: what disputes and rulings commit to on chain."""
    return sha256(reason.encode())


def reason_words(reason: str) -> dict[str, object]:
    """What such a hash commits to, in people's words."""
    return {"format": "1", "reason": reason}


@dataclass(frozen=True)
class SignedAct(Collected):
    """One act with the signatures collected so far, by account, all verified.

    `words` are what the act's hash commits to; empty where it commits to nothing.
    """

    bound: BoundAgreement
    act: Act
    words: Mapping[str, object]
    signatures: Mapping[Address, bytes]

    @property
    def kind(self) -> str:
        """ "submission", "dispute", "ruling", "resolution", "assignment" or "offer"."""
        return type(self.act).__name__.lower()

    @property
    def planned(self) -> PlannedMilestone:
        return self.bound.agreement.milestones[self.act.milestone]

    @property
    def typed_data(self) -> TypedData:
        return self.act.typed_data(self.bound.domain)

    @property
    def commitment(self) -> bytes:
        """The hash by which the act commits to its words; zero where it does not."""
        return _commitment(self.act)

    def consent(self, who: Address) -> Consent:
        """What everybody signs; the contract decides whose signature is needed."""
        return Consent(self.typed_data, who, f"this {self.kind}")

    def to_json(self) -> dict[str, object]:
        """One act as the file holds it; numbers as text, bytes as 0x hex."""
        return {
            "milestone": self.planned.key,
            "act": self.kind,
            "message": self.typed_data.to_json()["message"],
            "words": dict(self.words),
            "signatures": hexed(self.signatures),
        }


def dumps_acts(acts: Sequence[SignedAct]) -> str:
    """The file of some acts of one agreement."""
    return dumps(
        {
            "format": "1",
            "agreement": heading(acts[0].bound),
            "acts": [signed.to_json() for signed in acts],
        }
    )


def load_acts(
    path: Path, bound: BoundAgreement, wallets: Wallets | None = None
) -> tuple[SignedAct, ...]:
    """Read and verify such a file of an agreement, of at least one act; `wallets` as in `add`.

    Raises:
        DocumentError: it is damaged, forged, or about another agreement.
    """
    return _signed_acts(Envelope.read(path, KIND, FIELDS), bound, wallets)


def loads_acts(
    data: bytes | str,
    bound: BoundAgreement,
    wallets: Wallets | None = None,
    *,
    file: str = "acts.json",
) -> tuple[SignedAct, ...]:
    """Read and verify the content of such a file; see `load_acts`."""
    envelope = Envelope.parse(data, file, KIND).only(FIELDS)
    return _signed_acts(envelope, bound, wallets)


def _signed_acts(
    envelope: Envelope, bound: BoundAgreement, wallets: Wallets | None
) -> tuple[SignedAct, ...]:
    envelope.require(bound)
    entries = envelope.entries("acts", _ACT_FIELDS)
    return tuple(_signed_act(entry, bound, wallets) for entry in entries)


def _signed_act(entry: Envelope, bound: BoundAgreement, wallets: Wallets | None) -> SignedAct:
    act, words = _act(entry, bound), entry.group("words")
    if act.milestone >= len(bound.milestones) or (
        entry.fields["milestone"] != bound.agreement.milestones[act.milestone].key
    ):
        raise entry.damaged("its milestone does not exist")
    if act.agreement_id != bound.id:
        raise entry.damaged("it acts on a milestone of another agreement")
    if _commitment(act) != _hash_of(act, words):
        raise entry.damaged("its words are not what was signed")
    signed = SignedAct(bound, act, words, {})
    with entry.reading():
        signed.typed_data.digest()
    return signed.with_those_in(entry, wallets)


def _act(entry: Envelope, bound: BoundAgreement) -> Act:
    kind = ACTS.get(str(entry.fields["act"]))
    if kind is None:
        raise entry.damaged("it holds an act that does not exist")
    act = entry.struct(kind, "message")
    if act.typed_data(bound.domain).to_json()["message"] != entry.fields["message"]:
        raise entry.damaged("its parts do not fit each other")
    return act


def _commitment(act: Act) -> bytes:
    match act:
        case Submission():
            return act.evidence_hash
        case Dispute() | Ruling():
            return act.reason_hash
        case Resolution() | Assignment() | Offer():
            return ZERO_HASH
        case _:
            assert_never(act)


def _hash_of(act: Act, words: Mapping[str, object]) -> bytes:
    if isinstance(act, (Dispute, Ruling)) and words:
        return reason_hash(str(words.get("reason", "")))
    return words_hash(words)
