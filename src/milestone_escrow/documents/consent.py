"""The file that carries one side's consent to a split of a milestone to the other side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from milestone_escrow.documents.bound import BoundAgreement
from milestone_escrow.documents.envelope import Envelope, dumps, heading
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import Signer, recover

KIND = "a settlement file"
_FIELDS = {"format", "agreement", "milestone", "resolution", "signatures"}


@dataclass(frozen=True)
class SignedSplit:
    """A resolution with the signatures collected so far, by account, each recovered."""

    bound: BoundAgreement
    resolution: Resolution
    signatures: Mapping[Address, bytes]

    def sign(self, signer: Signer) -> SignedSplit:
        """With the consent of one more side; the contract decides whose is needed."""
        typed = self.resolution.typed_data(self.bound.domain)
        return self.add(signer.address, signer.sign_typed_data(typed))

    def add(self, account: Address, signature: bytes) -> SignedSplit:
        """With one more signature, which is verified first.

        Raises:
            UsageError: the account did not sign this split.
        """
        digest = self.resolution.typed_data(self.bound.domain).digest()
        if len(signature) != 65 or recover(digest, signature) != account:
            raise UsageError(
                f"the signature is not by {account} for this split", hint="ask for the file again"
            )
        return replace(self, signatures={**self.signatures, account: signature})

    def dumps(self) -> str:
        """What the file holds; numbers as text, bytes as 0x hex."""
        typed = self.resolution.typed_data(self.bound.domain)
        return dumps(
            {
                "format": "1",
                "agreement": heading(self.bound),
                "milestone": self.bound.agreement.milestones[self.resolution.milestone].key,
                "resolution": typed.to_json()["message"],
                "signatures": {a: "0x" + s.hex() for a, s in self.signatures.items()},
            }
        )


def load_split(path: Path, bound: BoundAgreement) -> SignedSplit:
    """Read and verify a settlement file of an agreement.

    Raises:
        DocumentError: it is damaged, forged, or about another agreement.
    """
    envelope = Envelope.read(path, KIND, _FIELDS)
    envelope.require(bound)
    message = envelope.group("resolution")
    index = envelope.whole(message.get("milestone"))
    if index >= len(bound.milestones) or (
        envelope.fields["milestone"] != bound.agreement.milestones[index].key
    ):
        raise envelope.damaged("its milestone does not exist")
    resolution = Resolution(
        agreement_id=envelope.hexadecimal(message.get("agreementId")),
        milestone=index,
        to_payee=envelope.whole(message.get("toPayee")),
        to_buyer=envelope.whole(message.get("toBuyer")),
        sequence=envelope.whole(message.get("sequence")),
        valid_until=envelope.whole(message.get("validUntil")),
    )
    if resolution.agreement_id != bound.id:
        raise envelope.damaged("it splits a milestone of another agreement")
    split = SignedSplit(bound, resolution, {})
    try:
        for account, signature in envelope.group("signatures").items():
            split = split.add(account, envelope.hexadecimal(signature))
    except DocumentError:
        raise
    except UsageError as error:
        raise DocumentError(error.message, file=str(path), hint=error.hint) from error
    return split
