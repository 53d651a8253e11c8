"""The file that carries signed acts to whoever sends them: submissions, disputes, rulings, splits,
assignments, offers.

It names its agreement and milestones for people, holds each act as it was signed and the words that
its hash commits to. Whoever receives one treats it as hostile: every signature is checked, and
the words must be those that were signed. Whose signature is needed, the contract decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeAlias

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.canonical import sha256
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.files.consents import require_signed
from milestone_escrow.documents.files.envelope import Envelope, dumps, heading
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, ZERO_HASH, Address, TypedData
from milestone_escrow.protocol.receivables import Assignment, Offer
from milestone_escrow.protocol.signatures import Signer, Wallets

Act: TypeAlias = "Submission | Dispute | Ruling | Resolution | Assignment | Offer"

KIND = "a file of signed acts"
FIELDS = {"format", "agreement", "acts"}
_ACT_FIELDS = {"milestone", "act", "message", "words", "signatures"}

ACTS: Mapping[str, type] = {
    "submission": Submission,
    "dispute": Dispute,
    "ruling": Ruling,
    "resolution": Resolution,
    "assignment": Assignment,
    "offer": Offer,
}
_HASHES = {Submission: "evidence_hash", Dispute: "reason_hash", Ruling: "reason_hash"}


def reason_hash(reason: str) -> bytes:
    """SHA-256 of a reason's text: what disputes and rulings commit to on chain."""
    return sha256(reason.encode())


def reason_words(reason: str) -> dict[str, object]:
    """What such a hash commits to, in people's words."""
    return {"format": "1", "reason": reason}


@dataclass(frozen=True)
class SignedAct:
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
        return next(name for name, kind in ACTS.items() if isinstance(self.act, kind))

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

    def sign(self, signer: Signer) -> SignedAct:
        """Signed by one more account."""
        return self.add(signer.address, signer.sign_typed_data(self.typed_data))

    def add(self, account: Address, signature: bytes, wallets: Wallets | None = None) -> SignedAct:
        """With one more signature, which is verified first; `wallets` asks about contracts'.

        Raises:
            UsageError: the account did not sign this.
            EscrowError: it may be a contract's, and its chain cannot be asked.
        """
        require_signed(
            self.typed_data,
            account,
            signature,
            wallets,
            whose="the signature",
            what=f"this {self.kind}",
            hint="ask for the file again",
        )
        return replace(self, signatures={**self.signatures, account: signature})

    def to_json(self) -> dict[str, object]:
        """One act as the file holds it; numbers as text, bytes as 0x hex."""
        return {
            "milestone": self.planned.key,
            "act": self.kind,
            "message": self.typed_data.to_json()["message"],
            "words": dict(self.words),
            "signatures": {a: "0x" + s.hex() for a, s in self.signatures.items()},
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
    envelope = Envelope.parse(data, Path(file), KIND).only(FIELDS)
    return _signed_acts(envelope, bound, wallets)


def _signed_acts(
    envelope: Envelope, bound: BoundAgreement, wallets: Wallets | None
) -> tuple[SignedAct, ...]:
    envelope.require(bound)
    entries = envelope.fields["acts"]
    if not isinstance(entries, list) or not entries:
        raise envelope.damaged("it holds no act")
    return tuple(_signed_act(replace(envelope, fields=entry), bound, wallets) for entry in entries)


def _signed_act(entry: Envelope, bound: BoundAgreement, wallets: Wallets | None) -> SignedAct:
    if not isinstance(entry.fields, dict) or set(entry.fields) != _ACT_FIELDS:
        raise entry.damaged("it holds something else than acts")
    act = _act(entry, bound)
    if act.milestone >= len(bound.milestones) or (
        entry.fields["milestone"] != bound.agreement.milestones[act.milestone].key
    ):
        raise entry.damaged("its milestone does not exist")
    if act.agreement_id != bound.id:
        raise entry.damaged("it acts on a milestone of another agreement")
    words = entry.group("words")
    if _commitment(act) != _hash_of(act, words):
        raise entry.damaged("its words are not what was signed")
    signed = SignedAct(bound, act, words, {})
    try:
        signed.typed_data.digest()
        for account, signature in entry.group("signatures").items():
            signed = signed.add(account, entry.hexadecimal(signature), wallets)
    except DocumentError:
        raise
    except UsageError as error:
        raise DocumentError(error.message, file=str(entry.path), hint=error.hint) from error
    return signed


def _act(entry: Envelope, bound: BoundAgreement) -> Act:
    kind = ACTS.get(str(entry.fields["act"]))
    if kind is None:
        raise entry.damaged("it holds an act that does not exist")
    message = entry.group("message")
    values: dict[str, object] = {}
    for field in fields(kind):
        value = message.get(_camel(field.name))
        if field.type == "bytes":
            values[field.name] = entry.hexadecimal(value)
        elif field.type == "int":
            values[field.name] = entry.whole(value)
        else:
            values[field.name] = _account(entry, value)
    act: Act = kind(**values)
    if act.typed_data(bound.domain).to_json()["message"] != message:
        raise entry.damaged("its parts do not fit each other")
    return act


def _commitment(act: Act) -> bytes:
    name = _HASHES.get(type(act))
    commitment: bytes = getattr(act, name) if name else ZERO_HASH
    return commitment


def _hash_of(act: Act, words: Mapping[str, object]) -> bytes:
    if isinstance(act, (Dispute, Ruling)) and words:
        return reason_hash(str(words.get("reason", "")))
    return words_hash(words)


def _account(entry: Envelope, value: object) -> Address:
    if value == ZERO_ADDRESS:
        return ZERO_ADDRESS
    try:
        return read_account(str(value))
    except UsageError as error:
        raise entry.damaged(error.message) from error


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
