"""The file that travels beside an agreement: its document, its terms, and who has signed.

The terms are held against the document, and the id against the terms; what follows from words by
the data of a machine, such as instants from civil dates, counts as it was signed.
A contract wallet's signature (ERC-1271) is checked by its chain, and refused where none is at hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.departures import (
    AmountDiffers,
    DeadlineDiffers,
    RequirementsDiffer,
)
from milestone_escrow.documents.files.envelope import Envelope
from milestone_escrow.documents.files.signed_file import Consent, SignedFile, hexed
from milestone_escrow.documents.source import MAX_DEPTH, Tree
from milestone_escrow.documents.when import calendar_release
from milestone_escrow.errors import UsageError, assert_never
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.signatures import Signer, Wallets
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.token import Token

KIND = "a signed agreement"
MAX_FILE = 4_000_000
PARTIES = ("buyer", "supplier")
_FIELDS = {
    "format", "agreement_id", "chain_id", "contract", "token", "terms", "document", "calendar",
    "signatures",
}  # fmt: skip


@dataclass(frozen=True)
class SignedAgreement(SignedFile):
    """An agreement on one deployment with the signatures collected so far, all verified.

    `signatures` are by role, 65 bytes where a key signed: buyer and supplier sign the agreement,
    verifiers (by key) and the arbiter an appointment that confirms their account. `calendar` is the
    release of the time zone data by which dates became the instants that are signed; "" where the
    machine did not say.
    """

    bound: BoundAgreement
    signatures: Mapping[str, bytes]
    calendar: str = ""

    @classmethod
    def start(cls, bound: BoundAgreement) -> SignedAgreement:
        """Nobody has signed yet."""
        return cls(bound, {}, calendar_release())

    @property
    def agreement(self) -> Agreement:
        """The people's view, rebuilt from the document; the YAML file is not needed."""
        return self.bound.agreement

    @property
    def id(self) -> bytes:
        return self.bound.id

    @property
    def domain(self) -> Domain:
        return self.bound.domain

    @property
    def token(self) -> Token:
        return self.bound.token

    @property
    def terms(self) -> Terms:
        return self.bound.terms

    @property
    def milestones(self) -> tuple[Milestone, ...]:
        return self.bound.milestones

    def is_of(self, other: SignedAgreement) -> bool:
        """Whether both are of the same words on the same deployment, whatever follows from them on
        the machines where they were read."""
        words = self.terms.document_hash == other.terms.document_hash
        return words and (self.domain, self.token) == (other.domain, other.token)

    @property
    def is_complete(self) -> bool:
        """Whether both parties have signed, so that it can be opened."""
        return all(role in self.signatures for role in PARTIES)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Roles that have not signed, parties first; verifiers and arbiter need not."""
        return tuple(role for role in self.agreement.people if role not in self.signatures)

    def sign(self, signer: Signer) -> SignedAgreement:
        """Signed by the buyer or the supplier, whichever the signer is.

        Raises:
            UsageError: the signer is neither.
        """
        role = self.bound.party_of(signer.address)
        self.require_understood()
        return self.add(role, self.bound.sign(signer))

    def appoint(self, role: str, signer: Signer) -> SignedAgreement:
        """Confirmed by a verifier or the arbiter.

        Raises:
            UsageError: nobody holds that role, or the signer's account is another.
        """
        self.require_understood()
        return self.add(role, self.bound.appoint(role, signer))

    def require_understood(self) -> None:
        """Whoever signs must know what is to be shown; reading it needs no package.

        Raises:
            UsageError: a package that is missing here, or another version of it, decides that.
        """
        for departure in self.agreement.departures:
            if isinstance(departure, RequirementsDiffer):
                raise UsageError(
                    f"what must be shown for '{departure.key}' is read otherwise here",
                    hint="before you sign, install the packages that bring its kinds of "
                    "requirements, in the versions of whoever wrote it",
                )

    def to_sign(self, role: str) -> TypedData:
        """What a role signs: a party the agreement, verifiers and arbiter their appointment.

        Raises:
            UsageError: the role does not exist.
        """
        if role not in self.agreement.people:
            raise UsageError(f"'{role}' is not a role of this agreement")
        if role in PARTIES:
            return self.bound.typed_data()
        return self.bound.appointment(role).typed_data(self.domain)

    def consent(self, who: str) -> Consent:
        """What a role signs; see `to_sign`."""
        data, name = self.to_sign(who), self.agreement.name(who)
        whose, hint = f"the signature of {who}", f"ask {name} to sign again"
        return Consent(data, self.agreement.people[who], "this agreement", whose, hint)

    def merge(self, other: SignedAgreement) -> SignedAgreement:
        """The signatures of two copies of the same agreement together.

        Raises:
            UsageError: the copies are of different agreements.
        """
        if other.id != self.id:
            raise UsageError(
                f"the two files hold different agreements (0x{self.id.hex()[:12]}… and "
                f"0x{other.id.hex()[:12]}…)",
                hint="both sides must sign the same file for the same network",
            )
        return self.with_signatures({**other.signatures, **self.signatures})

    def to_json(self) -> dict[str, object]:
        data = self.bound.typed_data().to_json()
        return {
            "format": "1",
            "agreement_id": "0x" + self.id.hex(),
            "chain_id": str(self.domain.chain_id),
            "contract": self.domain.verifying_contract,
            "token": {
                "symbol": self.token.symbol,
                "address": self.token.address,
                "decimals": str(self.token.decimals),
            },
            "terms": data["message"],
            "document": self.agreement.document,
            "calendar": self.calendar,
            "signatures": dict(sorted(hexed(self.signatures).items())),
        }

    @classmethod
    def load(cls, path: str | Path, wallets: Wallets | None = None) -> SignedAgreement:
        """Read and verify a file; `wallets` asks about contract wallets' signatures.

        Raises:
            DocumentError: it is damaged, forged, or not such a file.
            EscrowError: it holds a contract's signature, and its chain cannot be asked.
        """
        return cls.rebuild(Envelope.look(path, KIND, MAX_FILE), wallets)

    @classmethod
    def loads(
        cls, data: bytes | str, *, file: str = "signed.json", wallets: Wallets | None = None
    ) -> SignedAgreement:
        """Verify the content of a file; see `load`."""
        return cls.rebuild(Envelope.parse(data, file, KIND, MAX_FILE), wallets)

    @classmethod
    def rebuild(cls, envelope: Envelope, wallets: Wallets | None) -> SignedAgreement:
        """Verify the fields of a file, or of a part of one; see `load`."""
        fields = envelope.only(_FIELDS).fields
        with envelope.reading():
            document = _tree(fields["document"], 0)
            if not isinstance(document, dict):
                raise UsageError("the document is not a group of fields")
            token = _token(envelope)
            agreement = Agreement.signed(document, token.decimals, _milestones(envelope))
            terms, milestones = agreement.terms(token)
            domain = Domain(
                envelope.whole(fields["chain_id"]), envelope.account(fields["contract"])
            )
            bound = BoundAgreement(agreement, domain, token, terms, milestones)
            signed = cls(bound, {}, _release(fields["calendar"]))
            if signed.to_json()["terms"] != fields["terms"]:
                raise UsageError(
                    "the terms are not those of the document", hint="do not sign or open it"
                )
            if fields["agreement_id"] != "0x" + signed.id.hex():
                raise UsageError("the id is not that of the terms", hint="do not sign or open it")
        signed = signed.with_those_in(envelope, wallets)
        if not signed.is_complete:
            with envelope.reading():
                _require_read_alike(signed)
        return signed


def signed_path(agreement_file: str | Path) -> Path:
    """Where the signatures of an agreement file are kept: `NAME.signed.json` beside it."""
    return Path(agreement_file).with_suffix(".signed.json")


def _milestones(envelope: Envelope) -> tuple[Milestone, ...]:
    """What is signed of each milestone and does not follow from its words everywhere alike."""
    given = envelope.inner(envelope.fields["terms"]).fields.get("milestones")
    if not isinstance(given, list):
        raise UsageError("the terms have no milestones", hint="do not sign or open it")
    parts = [envelope.inner(one).fields for one in given]
    if any(not {"amount", "deadline", "requirementsHash"} <= set(part) for part in parts):
        raise UsageError("the terms have milestones that are none", hint="do not sign or open it")
    return tuple(
        Milestone(
            amount=envelope.whole(part["amount"]),
            deadline=envelope.whole(part["deadline"]),
            pays_on_silence=False,
            verifier_set=0,
            quorum=0,
            requirements_hash=envelope.hexadecimal(part["requirementsHash"]),
        )
        for part in parts
    )


def _require_read_alike(signed: SignedAgreement) -> None:
    """Until both have signed, only what differs among honest machines may differ: the hours of
    calendars, and what kinds of other packages make of their fields."""
    for departure in signed.agreement.departures:
        match departure:
            case DeadlineDiffers(is_calendar=True):
                continue
            case RequirementsDiffer(key=key) if signed.agreement.milestone(key).other_kinds:
                continue
            case DeadlineDiffers(key=key) | AmountDiffers(key=key) | RequirementsDiffer(key=key):
                what = f"the terms of '{key}' are not those of the document"
                raise UsageError(what, hint="do not sign or open it")
            case _:
                assert_never(departure)


def _release(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-z.-]{0,20}", value):
        return value
    raise UsageError("the calendar is not the release of time zone data, such as 2025b")


def _tree(value: object, depth: int) -> Tree:
    """Documents hold text only, so that nothing can read as another type."""
    if isinstance(value, str):
        return value
    if depth < MAX_DEPTH and isinstance(value, list):
        return [_tree(item, depth + 1) for item in value]
    if depth < MAX_DEPTH and isinstance(value, dict):
        return {name: _tree(item, depth + 1) for name, item in value.items()}
    raise UsageError("the document holds something else than text, or is nested too deeply")


def _token(envelope: Envelope) -> Token:
    value = envelope.group("token")
    if set(value) != {"symbol", "address", "decimals"} or not isinstance(value["symbol"], str):
        raise UsageError("the token needs symbol, address and decimals")
    address, decimals = envelope.account(value["address"]), envelope.whole(value["decimals"])
    return Token(value["symbol"], address, decimals)
