"""An agreement as people use it: from its file, checked, on a deployment, signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.checking import check
from milestone_escrow.documents.check.report import Report
from milestone_escrow.documents.source import Source, Tree, parse_source, read_source
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Appointment
from milestone_escrow.protocol.eip712 import Address, Domain, TypedData
from milestone_escrow.protocol.signatures import Signer
from milestone_escrow.protocol.terms import Milestone, Terms, agreement_typed_data
from milestone_escrow.protocol.token import Token


class DeploymentLike(Protocol):
    """One contract on one network, as far as an agreement needs to know it."""

    @property
    def domain(self) -> Domain: ...

    def token(self, symbol: str) -> Token:
        """The token of that symbol on this network; raises where there is none."""
        ...


@dataclass(frozen=True)
class Agreement(AgreementData):
    """The whole deal as its file says it; `AgreementData` says what is in it."""

    @classmethod
    def load(cls, path: str | Path) -> Agreement:
        """Read an agreement file and the attachments beside it.

        Raises:
            DocumentError: with file, line, field and fix.
        """
        return cls.read(read_source(Path(path)), Path(path).parent)

    @classmethod
    def loads(
        cls, text: str, file: str = "agreement.yaml", base: str | Path | None = None
    ) -> Agreement:
        """Read the text of an agreement file; attachments are looked for in `base`.

        Raises:
            DocumentError: with file, line, field and fix.
        """
        folder = Path(file).parent if base is None else Path(base)
        return cls.read(parse_source(text, file=file), folder)

    @classmethod
    def drafted(cls, text: str, file: str = "agreement.yaml") -> Agreement:
        """Read a text whose attachments carry their hashes, `{name: …, sha256: …}`: where nobody
        can look at the files beside it.

        Raises:
            DocumentError: with line, field and fix.
        """
        return cls.read(parse_source(text, file=file), None)

    @classmethod
    def from_document(cls, document: dict[str, Tree], file: str = "") -> Agreement:
        """Rebuild an agreement from its canonical document, without file or attachments.

        Raises:
            DocumentError: the document is not one that `load` could have produced.
        """
        return cls.read(Source(file, document, {}), None)

    @classmethod
    def signed(
        cls, document: dict[str, Tree], decimals: int, milestones: Sequence[Milestone]
    ) -> Agreement:
        """Rebuild what people signed: `milestones` count, wherever this machine reads the document
        otherwise; see `departures`.

        Raises:
            DocumentError: the document is not one that `load` could have produced.
            UsageError: it has another number of milestones.
        """
        read = cls.read(Source("", document, {}, is_signed=True), None, decimals)
        if len(read.milestones) != len(milestones):
            raise UsageError(
                f"the terms have {len(milestones)} milestones, the document {len(read.milestones)}",
                hint="do not sign or open it",
            )
        return read.as_signed(milestones)

    def check(self, now: int | None = None) -> Report:
        """What a careful lawyer and a careful engineer would say before anyone signs.

        `now` is when it is about to be signed, Unix seconds; by default the agreement's own date.
        """
        return check(self, self.starts_at if now is None else now)

    def on(self, deployment: DeploymentLike) -> BoundAgreement:
        """The agreement on one deployed contract, with its id.

        Raises:
            UsageError: the network has no such token.
        """
        token = deployment.token(self.token_symbol)
        terms, milestones = self.terms(token)
        return BoundAgreement(self, deployment.domain, token, terms, milestones)

    def sign(self, signer: Signer, deployment: DeploymentLike) -> bytes:
        """The signature of the buyer or the supplier, 65 bytes.

        Raises:
            UsageError: the signer is neither of them, or the network has no such token.
        """
        return self.on(deployment).sign(signer)


@dataclass(frozen=True)
class BoundAgreement:
    """What the contract will see of an agreement, and the id that commits to it."""

    agreement: Agreement
    domain: Domain
    token: Token
    terms: Terms
    milestones: tuple[Milestone, ...]

    @cached_property
    def id(self) -> bytes:
        """The 32-byte agreement id."""
        return self.typed_data().digest()

    def typed_data(self) -> TypedData:
        """What buyer and supplier sign."""
        return agreement_typed_data(self.domain, self.terms, self.milestones)

    def appointment(self, role: str) -> Appointment:
        """What a verifier (by key) or the arbiter signs to confirm the account.

        Raises:
            UsageError: nobody holds that role.
        """
        known = self._appointed()
        if role not in known:
            names = ", ".join(known) or "none in this agreement"
            raise UsageError(f"'{role}' is not appointed", hint=f"those who are: {names}")
        return Appointment(self.id, role, known[role])

    def sign(self, signer: Signer) -> bytes:
        """The signature of the buyer or the supplier, 65 bytes.

        Raises:
            UsageError: the signer is neither of them.
        """
        self.party_of(signer.address)
        return signer.sign_typed_data(self.typed_data())

    def appoint(self, role: str, signer: Signer) -> bytes:
        """The signature by which a verifier or the arbiter confirms the role, 65 bytes.

        Raises:
            UsageError: nobody holds that role, or the signer's account is another.
        """
        appointment = self.appointment(role)
        if signer.address != appointment.account:
            raise UsageError(
                f"{signer.address} is not the account of {role}, which is {appointment.account}",
                hint=f"sign with the key of {self.agreement.name(role)}, or correct the agreement",
            )
        return signer.sign_typed_data(appointment.typed_data(self.domain))

    def party_of(self, account: Address) -> str:
        """ "buyer" or "supplier", by account.

        Raises:
            UsageError: the account is neither.
        """
        for role in ("buyer", "supplier"):
            if self.agreement.people[role] == account:
                return role
        parties = "; ".join(
            f"{role} {self.agreement.name(role)}: {self.agreement.people[role]}"
            for role in ("buyer", "supplier")
        )
        roles = self.agreement.roles(account)
        hint = f"as {roles[0]}, confirm the role instead" if roles else "use the key of one of them"
        raise UsageError(f"{account} is not a party of this agreement ({parties})", hint=hint)

    def _appointed(self) -> Mapping[str, Address]:
        people = self.agreement.people
        return {role: people[role] for role in people if role not in ("buyer", "supplier")}
