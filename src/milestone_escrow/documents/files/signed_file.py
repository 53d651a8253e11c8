"""What files that carry signatures have in common: whose they are, and how one more is added.

Whoever receives such a file treats it as hostile: what is signed is worked out again from what the
file says, every signature is checked, and what does not fit is refused as a whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from milestone_escrow.documents.files.envelope import Envelope, dumps
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import (
    DEPLOY_FIRST,
    Signer,
    Wallets,
    is_signed,
    is_wrapped,
    settled,
)


@dataclass(frozen=True, slots=True)
class Consent:
    """What an account signs; `what` and `whose` complete the sentence where it did not."""

    data: TypedData
    account: Address
    what: str
    whose: str = "the signature"
    hint: str = "ask for the file again"

    def require(self, signature: bytes, wallets: Wallets | None) -> None:
        """Refuse a signature that is not the account's.

        A contract wallet's (ERC-1271) counts only where `wallets` can ask its chain: without, it is
        refused like any other that no key explains.

        Raises:
            UsageError: the account did not sign this, as far as can be told.
            EscrowError: its chain cannot be asked.
        """
        chain_id = self.data.domain.chain_id
        if is_signed(chain_id, self.account, self.data.digest(), signature, wallets):
            return
        hint = self.hint
        if wallets is None:
            hint += ", or check it with its chain at hand if a contract wallet signed"
        elif is_wrapped(signature):
            hint = DEPLOY_FIRST
        raise UsageError(f"{self.whose} is not by {self.account} for {self.what}", hint=hint)


Some = TypeVar("Some", bound="Collected")


class Collected(ABC):
    """Something with the signatures collected so far, all verified, by whoever signed."""

    signatures: Mapping[str, bytes]

    @abstractmethod
    def consent(self, who: str) -> Consent:
        """What one of them signs.

        Raises:
            UsageError: there is nothing for them to sign.
        """

    def sign(self: Some, signer: Signer) -> Some:
        """Signed by one more account.

        Raises:
            UsageError: there is nothing for it to sign.
        """
        data = self.consent(signer.address).data
        return self.add(signer.address, signer.sign_typed_data(data))

    def add(self: Some, who: str, signature: bytes, wallets: Wallets | None = None) -> Some:
        """With one more signature, which is verified first; `wallets` asks about contracts'.

        Raises:
            UsageError: there is nothing for them to sign, or their account did not sign this.
            EscrowError: it may be a contract's, and its chain cannot be asked.
        """
        asked = self.consent(who)
        asked.require(signature, wallets)
        kept = settled(asked.account, asked.data.digest(), signature)
        return self.with_signatures({**self.signatures, who: kept})

    def with_signatures(self: Some, signatures: Mapping[str, bytes]) -> Some:
        """With these instead of its own, verified by whoever calls."""
        same: Some = replace(cast(Any, self), signatures=signatures)
        return same

    def with_those_in(self: Some, envelope: Envelope, wallets: Wallets | None) -> Some:
        """With all signatures that a file holds.

        Raises:
            DocumentError: one is not hexadecimal, or not theirs.
            EscrowError: a contract's chain cannot be asked.
        """
        signed = self
        with envelope.reading():
            for who, signature in envelope.group("signatures").items():
                signed = signed.add(who, envelope.hexadecimal(signature), wallets)
        return signed


class SignedFile(Collected):
    """One file for each of them."""

    @abstractmethod
    def to_json(self) -> dict[str, object]:
        """What the file holds; numbers as text, bytes as 0x hex."""

    def dumps(self) -> str:
        """The file's text."""
        return dumps(self.to_json())

    def save(self, path: str | Path) -> None:
        """Write the file, readable for its owner only, at once or not at all.

        Raises:
            EscrowError: it cannot be written.
        """
        write_private(Path(path), self.dumps().encode())


def hexed(signatures: Mapping[str, bytes]) -> dict[str, str]:
    """Signatures as files hold them."""
    return {who: "0x" + signature.hex() for who, signature in signatures.items()}
