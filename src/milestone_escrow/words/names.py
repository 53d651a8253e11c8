"""How people call what a deal speaks of: accounts, milestones, amounts and times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.when import UTC, format_relative, format_time
from milestone_escrow.keys.sandbox_people import role_of
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.protocol.terms import Terms
from milestone_escrow.protocol.token import Token
from milestone_escrow.words.messages import say


@dataclass(frozen=True, slots=True)
class Names:
    """As the document names things; accounts, numbers from 1 and UTC where nobody has it.

    `whole` is for paper, where no name is shortened; `with_seconds` for times within a minute.
    """

    document: Agreement | None = None
    terms: Terms | None = None
    token: Token | None = None
    in_sandbox: bool = False
    whole: bool = False
    with_seconds: bool = False

    @classmethod
    def of(cls, agreement: OpenAgreement | None, token: Token | None = None) -> Names:
        """With its document where it has one; `token` is what its money is, where it knows none."""
        if agreement is None:
            return cls(token=token)
        domain = getattr(agreement, "domain", None)
        return cls(
            getattr(agreement, "agreement", None),
            agreement.terms,
            token or getattr(agreement, "token", None),
            domain is not None and domain.chain_id == SANDBOX_CHAIN_ID,
        )

    @property
    def zone(self) -> ZoneInfo:
        return self.document.timezone if self.document else UTC

    def milestone(self, index: int) -> str:
        """Its key in quotes, or "milestone 3"."""
        if self.document is not None and index < len(self.document.milestones):
            return f"'{self.document.milestones[index].key}'"
        return say("milestone {number}", number=index + 1)

    def milestones(self, indices: Iterable[int]) -> str:
        return ", ".join(map(self.milestone, indices))

    def person(self, account: Address) -> str:
        """The name behind an account, or the account; the sandbox's have roles."""
        if account == ZERO_ADDRESS:
            return say("nobody")
        if self.document is not None and (roles := self.document.roles(account)):
            return self.role(roles[0])
        if self.terms is not None and self.terms.fee_bps and account == self.terms.fee_recipient:
            return say("the fee account ({account})", account=f"{account[:8]}…")
        if self.in_sandbox and (role := role_of(account)) != account:
            return say("the {role} ({account})", role=role, account=f"{account[:8]}…")
        return account

    def role(self, role: str) -> str:
        """The name behind a role, or the role."""
        if self.document is None:
            return role
        return self.document.name(role) if self.whole else self.document.short_name(role)

    def people(self, accounts: Iterable[Address]) -> str:
        return ", ".join(map(self.person, accounts))

    def account(self, account: Address) -> str:
        """ "the supplier, Rajwada Exports", "a verifier, 0x…", or the address."""
        if self.document is not None and (roles := self.document.roles(account)):
            return say("the {role}, {name}", role=roles[0], name=self.document.name(roles[0]))
        if self.terms is None:
            return account
        for role in ("buyer", "supplier", "arbiter"):
            if getattr(self.terms, role) == account:
                return say("the {role}, {name}", role=role, name=account)
        if account in self.terms.verifiers:
            return say("a verifier, {account}", account=account)
        return account

    def amount(self, units: int) -> str:
        if self.document is not None:
            return self.document.amount(units)
        if self.token is not None:
            return format_amount(units, self.token)
        if self.terms is not None:
            return say("{units:,} units of {token}", units=units, token=self.terms.token)
        return say("{units:,} token units", units=units)

    def time(self, moment: int) -> str:
        return format_time(moment, self.zone, seconds=self.with_seconds)

    def when(self, moment: int, now: int) -> str:
        """ "14 Apr 2027, 23:59 UTC+02:00 (in 14 days)"."""
        relative = format_relative(moment, now)
        return say("{time} ({relative})", time=self.time(moment), relative=relative)
