"""An agreement on one deployment: its terms, its id, and what people sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Appointment
from milestone_escrow.protocol.eip712 import Address, Domain, TypedData
from milestone_escrow.protocol.signatures import Signer
from milestone_escrow.protocol.terms import Milestone, Terms, agreement_typed_data
from milestone_escrow.protocol.token import Token

if TYPE_CHECKING:
    from milestone_escrow.documents.agreement import Agreement


class Deployment(Protocol):
    """One contract on one network, as far as an agreement needs to know it."""

    @property
    def domain(self) -> Domain: ...

    def token(self, symbol: str) -> Token:
        """The token of that symbol on this network; raises where there is none."""
        ...


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
