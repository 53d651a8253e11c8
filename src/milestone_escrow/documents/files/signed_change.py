"""The file that carries a change order: both versions in full, what moves, and who has signed.

Whoever receives one treats it as hostile: both versions are derived again from their documents,
what is signed from both, and every signature is checked. Whose signatures are needed, and
whether the order still fits, depends on the old version's states on chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from milestone_escrow.documents.change_orders.change_order import ChangeOrder, change_order
from milestone_escrow.documents.files import signed_agreement
from milestone_escrow.documents.files.envelope import Envelope
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.signed_file import Consent, SignedFile, hexed
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.amendment import Amendment
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.signatures import Signer, Wallets

KIND = "a change order"
MAX_FILE = 8_000_000
_FIELDS = {
    "format", "old", "new", "closes", "funds", "carried", "epochs", "valid_until", "signatures"
}  # fmt: skip


@dataclass(frozen=True)
class SignedChange(SignedFile):
    """A change order with the signatures collected so far, by account, all verified.

    `closes` are keys of the old version, `funds` of the new one; `carried` and `epochs` as in
    `Amendment`.
    """

    old: SignedAgreement
    new: SignedAgreement
    closes: tuple[str, ...]
    funds: tuple[str, ...]
    carried: int
    epochs: int
    valid_until: int
    signatures: Mapping[Address, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, old: SignedAgreement, new: SignedAgreement, order: ChangeOrder) -> SignedChange:
        """Nobody has signed it yet."""
        what = order.amendment
        moves = (what.carried, what.epochs, what.valid_until)
        return cls(old, new, order.closes, order.funds, *moves)

    @property
    def amendment(self) -> Amendment:
        """What the contract is asked to do."""
        return Amendment(
            replaces=self.old.id,
            closes=_bitmap(self.old, self.closes),
            funds=_bitmap(self.new, self.funds),
            carried=self.carried,
            epochs=self.epochs,
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
        """Signed by one more account.

        Raises:
            UsageError: what the new version requires is not understood here.
        """
        self.new.require_understood()
        return super().sign(signer)

    def consent(self, who: Address) -> Consent:
        """What everybody signs; the contract decides whose signature is needed."""
        return Consent(self.typed_data, who, "this change order")

    def merge(self, other: SignedChange) -> SignedChange:
        """The signatures of two copies of the same change order together.

        Raises:
            UsageError: the copies are of different ones.
        """
        if other.amendment != self.amendment:
            raise UsageError(
                "the two files hold different change orders", hint="let all sign the same file"
            )
        return self.with_signatures({**other.signatures, **self.signatures})

    def to_json(self) -> dict[str, object]:
        return {
            "format": "1",
            "old": self.old.to_json(),
            "new": self.new.to_json(),
            "closes": list(self.closes),
            "funds": list(self.funds),
            "carried": str(self.carried),
            "epochs": str(self.epochs),
            "valid_until": str(self.valid_until),
            "signatures": dict(sorted(hexed(self.signatures).items())),
        }

    @classmethod
    def load(cls, path: str | Path, wallets: Wallets | None = None) -> SignedChange:
        """Read and verify a file; `wallets` as in `add`.

        Raises:
            DocumentError: it is damaged, forged, or not such a file.
        """
        return _rebuild(Envelope.read(path, KIND, _FIELDS, MAX_FILE), wallets)

    @classmethod
    def loads(
        cls, data: bytes | str, *, file: str = "change.json", wallets: Wallets | None = None
    ) -> SignedChange:
        """Verify the content of a file; see `load`."""
        return _rebuild(Envelope.parse(data, file, KIND, MAX_FILE).only(_FIELDS), wallets)


def _rebuild(envelope: Envelope, wallets: Wallets | None) -> SignedChange:
    old, new = (
        SignedAgreement.rebuild(
            envelope.part(name, signed_agreement.KIND, f"the {name} version"), wallets
        )
        for name in ("old", "new")
    )
    closes, funds = (_keys(envelope, name) for name in ("closes", "funds"))
    carried, epochs, until = (
        envelope.whole(envelope.fields[name]) for name in ("carried", "epochs", "valid_until")
    )
    change = SignedChange(old, new, closes, funds, carried, epochs, until)
    if change.new.agreement.replaces != change.old.id or change.new.domain != change.old.domain:
        raise envelope.damaged("its new version replaces another agreement")
    with envelope.reading():
        change.typed_data.digest()
    return change.with_those_in(envelope, wallets)


def _keys(envelope: Envelope, name: str) -> tuple[str, ...]:
    value = envelope.fields[name]
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise envelope.damaged("its milestones are not listed by key")
    if len(set(value)) != len(value):
        raise envelope.damaged("a milestone is named twice")
    return tuple(value)


def _bitmap(signed: SignedAgreement, keys: Iterable[str]) -> int:
    return sum(1 << signed.agreement.index(key) for key in keys)
