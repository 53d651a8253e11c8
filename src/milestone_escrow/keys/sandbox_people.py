"""Who lives in a sandbox: its accounts by role, as the examples use them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from milestone_escrow.documents.source import suggest
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import UsageError
from milestone_escrow.keys.local_signers import DevSigner
from milestone_escrow.protocol.devchain import SANDBOX_OPERATOR
from milestone_escrow.protocol.eip712 import Address

ROLES = {
    "buyer": 1,
    "supplier": 2,
    "verifier-1": 3,
    "verifier-2": 4,
    "verifier-3": 5,
    "arbiter": 6,
    "financier": 7,
    # Who pays for what the sandbox's own page submits, and for what an oracle beside it does.
    "host": 17,
    "relayer": 18,
    "keeper": 19,
    "operator": SANDBOX_OPERATOR,
}


@dataclass(frozen=True, slots=True)
class SandboxPerson:
    """A role, the number of its private key, and its account."""

    role: str
    number: int
    account: Address

    @property
    def signer(self) -> DevSigner:
        return DevSigner(self.number)


@lru_cache(maxsize=1)
def everybody() -> tuple[SandboxPerson, ...]:
    return tuple(
        SandboxPerson(role, number, DevSigner(number).address) for role, number in ROLES.items()
    )


def role_of(account: Address) -> str:
    """ "buyer" for the sandbox's buyer, the account itself for a stranger."""
    return next((person.role for person in everybody() if person.account == account), account)


def account_of(name: str) -> Address:
    """The account of a role, or an account as it is.

    Raises:
        UsageError: neither.
    """
    for person in everybody():
        if person.role == name.lower():
            return person.account
    if name.startswith("0x"):
        return read_account(name)
    raise UsageError(f"nobody in the sandbox is called '{name}'", hint=suggest(name, ROLES))
