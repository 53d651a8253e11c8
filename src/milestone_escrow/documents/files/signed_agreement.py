"""The file that travels beside an agreement: its document, its terms, and who has signed.

Whoever receives one treats it as hostile: the terms are derived again from the document, the id
from the terms, and every signature is checked. What does not fit is refused as a whole.
A contract wallet's signature (ERC-1271) is checked by its chain, and refused where none is at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.consents import require_signed
from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.documents.source import MAX_DEPTH, Tree
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.signatures import Signer, Wallets
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.token import Token

MAX_FILE = 4_000_000
PARTIES = ("buyer", "supplier")
_FIELDS = {
    "format", "agreement_id", "chain_id", "contract", "token", "terms", "document", "signatures",
}  # fmt: skip


@dataclass(frozen=True)
class SignedAgreement:
    """An agreement on one deployment with the signatures collected so far, all verified.

    `signatures` are by role, 65 bytes where a key signed: buyer and supplier sign the agreement,
    verifiers (by key) and the arbiter an appointment that confirms their account.
    """

    bound: BoundAgreement
    signatures: Mapping[str, bytes]

    @classmethod
    def start(cls, bound: BoundAgreement) -> SignedAgreement:
        """Nobody has signed yet."""
        return cls(bound, {})

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
        return self.add(role, self.bound.sign(signer))

    def appoint(self, role: str, signer: Signer) -> SignedAgreement:
        """Confirmed by a verifier or the arbiter.

        Raises:
            UsageError: nobody holds that role, or the signer's account is another.
        """
        return self.add(role, self.bound.appoint(role, signer))

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

    def add(self, role: str, signature: bytes, wallets: Wallets | None = None) -> SignedAgreement:
        """With one more signature, which is verified first; `wallets` asks about contracts'.

        Raises:
            UsageError: the role does not exist, or its account did not sign this.
            EscrowError: it may be a contract's, and its chain cannot be asked.
        """
        require_signed(
            self.to_sign(role),
            self.agreement.people[role],
            signature,
            wallets,
            whose=f"the signature of {role}",
            what="this agreement",
            hint=f"ask {self.agreement.name(role)} to sign again",
        )
        return replace(self, signatures={**self.signatures, role: signature})

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
        return replace(self, signatures={**other.signatures, **self.signatures})

    def to_json(self) -> dict[str, object]:
        """What the file holds; numbers as text, bytes as 0x hex."""
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
            "signatures": {role: "0x" + s.hex() for role, s in sorted(self.signatures.items())},
        }

    def save(self, path: str | Path) -> None:
        """Write the file, readable for its owner only, at once or not at all.

        Raises:
            DocumentError: it cannot be written.
        """
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"
        write_private(Path(path), text.encode())

    @classmethod
    def load(cls, path: str | Path, wallets: Wallets | None = None) -> SignedAgreement:
        """Read and verify a file; `wallets` asks about contract wallets' signatures.

        Raises:
            DocumentError: it is damaged, forged, or not such a file.
            EscrowError: it holds a contract's signature, and its chain cannot be asked.
        """
        try:
            with Path(path).open("rb") as stream:
                data = stream.read(MAX_FILE + 1)
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise DocumentError(
                f"cannot be read ({reason})", file=str(path), hint="check the path"
            ) from error
        return cls.loads(data, file=str(path), wallets=wallets)

    @classmethod
    def loads(
        cls, data: bytes | str, *, file: str = "signed.json", wallets: Wallets | None = None
    ) -> SignedAgreement:
        """Verify the content of a file; see `load`."""
        fields = _parse(data, file)
        try:
            return _rebuild(fields, wallets)
        except DocumentError as error:
            raise DocumentError(
                error.message, file=file, field=error.field, hint=error.hint
            ) from error
        except UsageError as error:
            raise DocumentError(error.message, file=file, hint=error.hint) from error


def signed_path(agreement_file: str | Path) -> Path:
    """Where the signatures of an agreement file are kept: `NAME.signed.json` beside it."""
    return Path(agreement_file).with_suffix(".signed.json")


def _parse(data: bytes | str, file: str) -> dict[str, object]:
    hint = "ask for the .signed.json file again"
    try:
        fields = parse_json(data, limit=MAX_FILE)
    except ValueError as error:
        message = f"is not a signed agreement ({error})"
        raise DocumentError(message, file=file, hint=hint) from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS or fields["format"] != "1":
        raise DocumentError("is not a signed agreement of format 1", file=file, hint=hint)
    return fields


def _rebuild(fields: Mapping[str, object], wallets: Wallets | None) -> SignedAgreement:
    document = _tree(fields["document"], 0)
    if not isinstance(document, dict):
        raise UsageError("the document is not a group of fields")
    agreement = Agreement.from_document(document)
    token = _token(fields["token"])
    terms, milestones = agreement.terms(token)
    domain = Domain(_natural(fields["chain_id"]), read_account(_text(fields["contract"])))
    signed = SignedAgreement.start(BoundAgreement(agreement, domain, token, terms, milestones))
    if signed.to_json()["terms"] != fields["terms"]:
        raise UsageError("the terms are not those of the document", hint="do not sign or open it")
    if fields["agreement_id"] != "0x" + signed.id.hex():
        raise UsageError("the id is not that of the terms", hint="do not sign or open it")
    signatures = fields["signatures"]
    if not isinstance(signatures, dict):
        raise UsageError("the signatures are not listed by role")
    for role, signature in signatures.items():
        signed = signed.add(role, _bytes(signature), wallets)
    return signed


def _tree(value: object, depth: int) -> Tree:
    """Documents hold text only, so that nothing can read as another type."""
    if isinstance(value, str):
        return value
    if depth < MAX_DEPTH and isinstance(value, list):
        return [_tree(item, depth + 1) for item in value]
    if depth < MAX_DEPTH and isinstance(value, dict):
        return {name: _tree(item, depth + 1) for name, item in value.items()}
    raise UsageError("the document holds something else than text, or is nested too deeply")


def _token(value: object) -> Token:
    if not isinstance(value, dict) or set(value) != {"symbol", "address", "decimals"}:
        raise UsageError("the token needs symbol, address and decimals")
    decimals = _natural(value["decimals"])
    return Token(_text(value["symbol"]), read_account(_text(value["address"])), decimals)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{str(value)[:40]!r} is not text")
    return value


def _natural(value: object) -> int:
    text = _text(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 30):
        raise UsageError(f"'{text[:40]}' is not a whole number")
    return int(text)


def _bytes(value: object) -> bytes:
    try:
        return bytes.fromhex(_text(value).removeprefix("0x"))
    except ValueError as error:
        raise UsageError("a signature is not hex") from error
