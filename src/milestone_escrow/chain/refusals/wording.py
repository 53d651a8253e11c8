"""How to name milestones, accounts, amounts and times to people, as well as is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.when import format_time
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.token import Token

STATUS_WORDS = {
    Status.UNFUNDED: "not funded",
    Status.FUNDED: "funded",
    Status.SUBMITTED: "submitted for review",
    Status.RELEASE_PENDING: "accepted, in its objection period",
    Status.REFUND_PENDING: "rejected, in its objection period",
    Status.DISPUTED_BEFORE_VERDICT: "disputed",
    Status.DISPUTED_OVER_VERDICT: "disputed over a verdict",
    Status.SETTLED: "settled",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """Names from the agreement's document where there is one, roles and addresses elsewhere."""

    agreement: OpenAgreement | None = None
    token: Token | None = None

    @property
    def document(self) -> Any | None:
        """The `Agreement` behind a bound agreement; nothing behind terms read from the chain."""
        return getattr(self.agreement, "agreement", None)

    def milestone(self, index: int) -> str:
        document = self.document
        if document is not None and index < len(document.milestones):
            return f"'{document.milestones[index].key}'"
        return f"milestone {index}"

    def role(self, account: Address) -> str:
        """ "the supplier", or "" for a stranger."""
        if self.agreement is None:
            return ""
        terms = self.agreement.terms
        for role in ("buyer", "supplier", "arbiter"):
            if getattr(terms, role) == account:
                return f"the {role}"
        return "a verifier" if account in terms.verifiers else ""

    def account(self, account: Address) -> str:
        """ "the supplier, Rajwada Exports" or the address."""
        document = self.document
        roles = document.roles(account) if document is not None else ()
        if document is not None and roles:
            return f"the {roles[0]}, {document.name(roles[0])}"
        role = self.role(account)
        return f"{role}, {account}" if role else account

    def amount(self, units: int, token: Token | None = None) -> str:
        known = token or self.token or getattr(self.agreement, "token", None)
        return format_amount(units, known) if known else f"{units:,} token units"

    def time(self, moment: int) -> str:
        document = self.document
        zone = document.timezone if document is not None else ZoneInfo("UTC")
        return format_time(moment, zone)


def status_words(bits: int) -> str:
    """ "funded, submitted for review or disputed", of a bitmap of statuses."""
    words = [STATUS_WORDS[status] for status in Status if bits >> status & 1]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "never"
