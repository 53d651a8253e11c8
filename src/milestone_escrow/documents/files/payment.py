"""The file by which somebody else sends a payment: an ERC-3009 authorization for some milestones.

It is signed under the token's own domain, which only the chain knows; so whoever sends it checks
the signature there. Its nonce commits to the agreement and to exactly these milestones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.envelope import Envelope, dumps, heading
from milestone_escrow.protocol.paying import (
    Authorization,
    SignedAuthorization,
    authorization_nonce,
    cost,
)

KIND = "a payment file"
FIELDS = {"format", "agreement", "milestones", "authorization", "signature"}


@dataclass(frozen=True)
class SignedPayment:
    """An authorization and the milestones that it pays for, by key."""

    bound: BoundAgreement
    milestones: tuple[str, ...]
    signed: SignedAuthorization

    def dumps(self) -> str:
        """What the file holds; numbers as text, bytes as 0x hex."""
        given = self.signed.authorization
        return dumps(
            {
                "format": "1",
                "agreement": heading(self.bound),
                "milestones": list(self.milestones),
                "authorization": {
                    "from": given.payer,
                    "to": given.to,
                    "value": str(given.value),
                    "validAfter": str(given.valid_after),
                    "validBefore": str(given.valid_before),
                    "nonce": "0x" + given.nonce.hex(),
                },
                "signature": "0x" + self.signed.signature.hex(),
            }
        )


def load_payment(path: Path, bound: BoundAgreement) -> SignedPayment:
    """Read a payment file of an agreement; the signature is left to the token.

    Raises:
        DocumentError: it is damaged, or pays for something else than it says.
    """
    envelope = Envelope.read(path, KIND, FIELDS)
    envelope.require(bound)
    keys = envelope.fields["milestones"]
    known = [milestone.key for milestone in bound.agreement.milestones]
    if not isinstance(keys, list) or not keys or any(key not in known for key in keys):
        raise envelope.damaged("its milestones do not exist")
    message = envelope.group("authorization")
    given = Authorization(
        payer=envelope.account(message.get("from")),
        to=envelope.account(message.get("to")),
        value=envelope.whole(message.get("value")),
        valid_after=envelope.whole(message.get("validAfter")),
        valid_before=envelope.whole(message.get("validBefore")),
        nonce=envelope.hexadecimal(message.get("nonce")),
    )
    chosen = sum(1 << known.index(key) for key in set(keys))
    nonce, value = authorization_nonce(bound.id, chosen), cost(bound.milestones, chosen)
    if (given.to, given.nonce, given.value) != (bound.domain.verifying_contract, nonce, value):
        raise envelope.damaged("it pays for something else than it says")
    signature = envelope.hexadecimal(envelope.fields["signature"])
    return SignedPayment(bound, tuple(keys), SignedAuthorization(given, signature))
