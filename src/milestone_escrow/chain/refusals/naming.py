"""How errors of this room name accounts and milestones: as the agreement does, where it can."""

from __future__ import annotations

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.protocol.terms import numbered


def account_name(agreement: OpenAgreement, account: Address) -> str:
    """ "the supplier, Rajwada Exports", "a verifier, 0x…" or the address."""
    document = getattr(agreement, "agreement", None)
    if document is not None and (roles := document.roles(account)):
        return f"the {roles[0]}, {document.name(roles[0])}"
    terms = agreement.terms
    for role in ("buyer", "supplier", "arbiter"):
        if getattr(terms, role) == account:
            return f"the {role}, {account}"
    return f"a verifier, {account}" if account in terms.verifiers else account


def milestone_name(agreement: OpenAgreement, index: int) -> str:
    """Its key in quotes, or "milestone 3" where only the terms are known."""
    document = getattr(agreement, "agreement", None)
    return f"'{document.milestones[index].key}'" if document else numbered(index)
