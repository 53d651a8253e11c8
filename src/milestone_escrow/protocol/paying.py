"""Paying in without an approval first: EIP-2612 permits and ERC-3009 authorizations.

Both are signed under the token's own domain, which `chain.paying` reads. A permit lets the contract
take money from who signs and sends; an authorization moves it, whoever sends. Neither consents to
anything: an authorization's nonce commits to the agreement and to the milestones that it pays for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address, Domain, Field, Message, Struct, TypedData
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.signatures import normalized
from milestone_escrow.protocol.terms import Milestone

PERMIT = Struct(
    "Permit",
    (
        Field("address", "owner"),
        Field("address", "spender"),
        Field("uint256", "value"),
        Field("uint256", "nonce"),
        Field("uint256", "deadline"),
    ),
)
AUTHORIZATION = Struct(
    "ReceiveWithAuthorization",
    (
        Field("address", "from"),
        Field("address", "to"),
        Field("uint256", "value"),
        Field("uint256", "validAfter"),
        Field("uint256", "validBefore"),
        Field("bytes32", "nonce"),
    ),
)


@dataclass(frozen=True, slots=True)
class Permit:
    """Lets `spender` take up to `value` token units of `owner` until `deadline` (EIP-2612)."""

    owner: Address
    spender: Address
    value: int
    nonce: int
    deadline: int

    def typed_data(self, domain: Domain) -> TypedData:
        """What the owner signs, under the token's domain."""
        message: Message = {
            "owner": self.owner,
            "spender": self.spender,
            "value": self.value,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }
        return TypedData(domain, PERMIT, message)


@dataclass(frozen=True, slots=True)
class Authorization:
    """Pays `value` token units of `payer` to the contract for some milestones (ERC-3009).

    It can be used while `valid_after` < now < `valid_before`, once.
    """

    payer: Address
    to: Address
    value: int
    valid_after: int
    valid_before: int
    nonce: bytes

    def typed_data(self, domain: Domain) -> TypedData:
        """What the payer signs, under the token's domain."""
        message: Message = {
            "from": self.payer,
            "to": self.to,
            "value": self.value,
            "validAfter": self.valid_after,
            "validBefore": self.valid_before,
            "nonce": self.nonce,
        }
        return TypedData(domain, AUTHORIZATION, message)


@dataclass(frozen=True, slots=True)
class SignedPermit:
    """A permit and its owner's signature, 64 or 65 bytes in whatever form wallets write."""

    permit: Permit
    signature: bytes

    @property
    def vrs(self) -> tuple[int, bytes, bytes]:
        """The signature in the form that tokens take.

        Raises:
            UsageError: it is neither 64 nor 65 bytes; a contract wallet cannot sign a permit.
        """
        signature = normalized(self.signature)
        if len(signature) != 65:
            raise UsageError(
                f"a permit's signature has 65 bytes, not {len(self.signature)}",
                hint="a contract wallet pays by allowance or by authorization",
            )
        return signature[64], signature[:32], signature[32:64]


@dataclass(frozen=True, slots=True)
class SignedAuthorization:
    """An authorization and its payer's signature; contract wallets' may have any length."""

    authorization: Authorization
    signature: bytes


def authorization_nonce(agreement_id: bytes, chosen: int) -> bytes:
    """What the contract asks an authorization's nonce to be; `chosen` is a bitmap of milestones."""
    return keccak(agreement_id + chosen.to_bytes(32, "big"))


def cost(milestones: Sequence[Milestone], chosen: int) -> int:
    """Token units that funding the milestones of the bitmap `chosen` takes."""
    return sum(milestone.amount for i, milestone in enumerate(milestones) if chosen >> i & 1)
