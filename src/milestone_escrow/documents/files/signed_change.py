"""The file that carries a change order: both versions in full, what moves, and who has signed.

Whoever receives one treats it as hostile: both versions are derived again from their documents,
what is signed from both, and every signature is checked. Whose signatures are needed, and
whether the order still fits, depends on the old version's states on chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from milestone_escrow.documents.change_orders.change_order import ChangeOrder, change_order
from milestone_escrow.documents.files.consents import require_signed
from milestone_escrow.documents.files.envelope import dumps
from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.amendment import Amendment
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.signatures import Signer, Wallets

KIND = "a change order"
MAX_FILE = 8_000_000
_FIELDS = {"format", "old", "new", "closes", "funds", "valid_until", "signatures"}


@dataclass(frozen=True)
class SignedChange:
    """A change order with the signatures collected so far, by account, all verified.

    `closes` are keys of the old version, `funds` of the new one.
    """

    old: SignedAgreement
    new: SignedAgreement
    closes: tuple[str, ...]
    funds: tuple[str, ...]
    valid_until: int
    signatures: Mapping[Address, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, old: SignedAgreement, new: SignedAgreement, order: ChangeOrder) -> SignedChange:
        """Nobody has signed it yet."""
        return cls(old, new, order.closes, order.funds, order.amendment.valid_until)

    @property
    def amendment(self) -> Amendment:
        """What the contract is asked to do."""
        return Amendment(
            replaces=self.old.id,
            closes=_bitmap(self.old, self.closes),
            funds=_bitmap(self.new, self.funds),
            valid_until=self.valid_until,
            terms=self.new.terms,
            milestones=self.new.milestones,
        )

    @property
    def typed_data(self) -> TypedData:
        """What everybody signs."""
        return self.amendment.typed_data(self.old.domain)

    def order(self, states: Sequence[State]) -> ChangeOrder:
        """The change order as the old version's states make it now.

        Raises:
            UsageError: something has happened since it was written, so it would now be another.
        """
        moved = {m.key for m in self.old.agreement.milestones} & set(self.funds)
        fund = [key for key in self.funds if key not in moved]
        now = change_order(
            self.old.bound, self.new.bound, states, valid_until=self.valid_until, fund=fund
        )
        if now.amendment != self.amendment:
            raise UsageError(
                f"{self.old.agreement.reference} has changed since this change order was written",
                hint="write it again with `escrow amend`, and sign that one",
            )
        return now

    def missing(self, states: Sequence[State]) -> tuple[Address, ...]:
        """Who must sign and has not, in the contract's order."""
        needed = self.order(states).signers
        return tuple(who for who in dict.fromkeys(needed) if who not in self.signatures)

    def sign(self, signer: Signer) -> SignedChange:
        """Signed by one more account; the contract decides whose is needed."""
        return self.add(signer.address, signer.sign_typed_data(self.typed_data))

    def add(
        self, account: Address, signature: bytes, wallets: Wallets | None = None
    ) -> SignedChange:
        """With one more signature, which is verified first; `wallets` asks about contracts'.

        Raises:
            UsageError: the account did not sign this change order.
            EscrowError: it may be a contract's, and its chain cannot be asked.
        """
        require_signed(
            self.typed_data,
            account,
            signature,
            wallets,
            whose="the signature",
            what="this change order",
            hint="ask for the file again",
        )
        return replace(self, signatures={**self.signatures, account: signature})

    def merge(self, other: SignedChange) -> SignedChange:
        """The signatures of two copies of the same change order together.

        Raises:
            UsageError: the copies are of different ones.
        """
        if other.amendment != self.amendment:
            raise UsageError(
                "the two files hold different change orders", hint="let all sign the same file"
            )
        return replace(self, signatures={**other.signatures, **self.signatures})

    def dumps(self) -> str:
        """What the file holds; numbers as text, bytes as 0x hex."""
        return dumps(
            {
                "format": "1",
                "old": self.old.to_json(),
                "new": self.new.to_json(),
                "closes": list(self.closes),
                "funds": list(self.funds),
                "valid_until": str(self.valid_until),
                "signatures": {a: "0x" + s.hex() for a, s in sorted(self.signatures.items())},
            }
        )

    def save(self, path: str | Path) -> None:
        """Write the file, readable for its owner only, at once or not at all.

        Raises:
            DocumentError: it cannot be written.
        """
        write_private(Path(path), self.dumps().encode())

    @classmethod
    def load(cls, path: str | Path, wallets: Wallets | None = None) -> SignedChange:
        """Read and verify a file; `wallets` as in `add`.

        Raises:
            DocumentError: it is damaged, forged, or not such a file.
        """
        try:
            with Path(path).open("rb") as stream:
                data = stream.read(MAX_FILE + 1)
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise DocumentError(
                f"cannot be read ({reason})", file=str(path), hint="check the path"
            ) from error
        return cls.loads(data, file=str(path), wallets=wallets)

    @classmethod
    def loads(
        cls, data: bytes | str, *, file: str = "change.json", wallets: Wallets | None = None
    ) -> SignedChange:
        """Verify the content of a file; see `load`."""
        try:
            fields = parse_json(data, limit=MAX_FILE)
        except ValueError as error:
            raise _damaged(file, str(error)) from error
        if not isinstance(fields, dict) or set(fields) != _FIELDS or fields["format"] != "1":
            raise _damaged(file, "it holds something else")
        try:
            return _rebuild(fields, file, wallets)
        except DocumentError:
            raise
        except UsageError as error:
            raise DocumentError(error.message, file=file, hint=error.hint) from error


def _rebuild(fields: Mapping[str, object], file: str, wallets: Wallets | None) -> SignedChange:
    old, new = (
        SignedAgreement.loads(
            json.dumps(fields[name]), file=f"{file}, the {name} version", wallets=wallets
        )
        for name in ("old", "new")
    )
    until = fields["valid_until"]
    if not isinstance(until, str) or not (until.isascii() and until.isdigit() and len(until) < 20):
        raise _damaged(file, "its end is not a time")
    closes, funds = (_keys(fields[name], file) for name in ("closes", "funds"))
    change = SignedChange(old, new, closes, funds, int(until))
    if change.new.agreement.replaces != change.old.id or change.new.domain != change.old.domain:
        raise _damaged(file, "its new version replaces another agreement")
    change.typed_data.digest()
    signatures = fields["signatures"]
    if not isinstance(signatures, dict):
        raise _damaged(file, "its signatures are not listed by account")
    for account, signature in signatures.items():
        if not isinstance(signature, str):
            raise _damaged(file, "a signature is not text")
        try:
            given = bytes.fromhex(signature.removeprefix("0x"))
            change = change.add(read_account(account), given, wallets)
        except ValueError as error:
            raise _damaged(file, "a signature is not hexadecimal") from error
    return change


def _keys(value: object, file: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise _damaged(file, "its milestones are not listed by key")
    if len(set(value)) != len(value):
        raise _damaged(file, "a milestone is named twice")
    return tuple(value)


def _bitmap(signed: SignedAgreement, keys: Iterable[str]) -> int:
    return sum(1 << signed.agreement.index(key) for key in keys)


def _damaged(file: str, why: str) -> DocumentError:
    return DocumentError(f"is not {KIND}: {why}", file=file, hint="ask for the file again")
