"""An agreement on its network with somebody's key: what the commands work at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.deals.rights import Right
from milestone_escrow.deals.table import Table
from milestone_escrow.errors import UsageError
from milestone_escrow.words.standing import Standing, holders

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.files.signed_agreement import SignedAgreement
    from milestone_escrow.documents.files.signed_change import SignedChange
    from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True)
class Desk(Table):
    """A table on this machine, which knows other agreements and has keys."""

    session: Session

    @cached_property
    def name(self) -> str:
        """Its reference, if that is enough to name it here."""
        reference, own_id = self.bound.agreement.reference, f"0x{self.bound.id.hex()}"
        try:
            newest = self.session.shelf.find(reference)
        except UsageError:
            return own_id[:10]
        family = {card.agreement_id for card in self.session.shelf.versions(newest.id)}
        return reference if own_id in family and " " not in reference else own_id[:10]

    @cached_property
    def earlier(self) -> tuple[Desk, ...]:
        """The versions that this one goes back to, as far as they are known here, oldest first."""
        shelf = self.session.shelf
        ids = [bytes.fromhex(card.agreement_id[2:]) for card in shelf.versions(self.signed.id)]
        known = [shelf.get(one) for one in ids if one != self.signed.id]
        return tuple(replace(self, signed=signed) for signed in known if signed)

    def chosen(self, accounts: Sequence[Address] = (), *, any_will_do: bool = False) -> Desk:
        """At the hands of the key that `choose` finds."""
        where = (self.session, self.bound, self.network.chain_id)
        return self.acting(choose(*where, accounts, any_will_do=any_will_do))

    def require_open(self) -> None:
        super().require_open()
        self.session.shelf.put(self.signed)


def look(session: Session, name: str, key: str | None = None) -> Desk:
    """An agreement and its contract, without a key.

    A reference means the newest version; a milestone that this one has left to an earlier version
    means that one.

    Raises:
        UsageError: no such agreement, or no network for it.
        ChainError: its contract cannot be reached.
    """
    change = _change_in(session, name)
    signed = change.old if change else session.find(name)
    desk = desk_of(session, signed)
    if change or name.lower() == signed.agreement.reference.lower():
        newest = session.shelf.follow(signed, lambda new: desk.escrow.is_open(new.id))
        desk = replace(desk, signed=newest)
    return replace(desk, signed=deciding_version(session, desk.signed, key))


def _change_in(session: Session, name: str) -> SignedChange | None:
    """The change order of a file, which makes both its versions known here."""
    from milestone_escrow.cli.shell.letters import is_change
    from milestone_escrow.documents.files.signed_change import SignedChange

    path = Path(name)
    if path.suffix.lower() != ".json" or not path.is_file() or not is_change(path):
        return None
    change = SignedChange.load(path, session.wallets)
    session.shelf.put(change.old)
    return session.shelf.put_change(change)


def deciding_version(session: Session, signed: SignedAgreement, key: str | None) -> SignedAgreement:
    """The version whose terms decide a milestone: change orders leave some to the one before."""
    while any(milestone.key == key for milestone in signed.agreement.left_behind):
        before = session.shelf.get(signed.agreement.replaces or b"")
        if before is None:
            break
        signed = before
    return signed


def desk_of(session: Session, signed: SignedAgreement) -> Desk:
    """The contract that an agreement is bound to; see `look`."""
    return Desk(signed, session.connect(signed), session)


def open_desk(session: Session, name: str, key: str | None = None) -> Desk:
    """The same, refused where the agreement is not open on the chain.

    Raises:
        EscrowError: it is not.
    """
    desk = look(session, name, key)
    desk.require_open()
    return desk


def take_up(
    session: Session,
    name: str,
    key: str,
    right: Right | Callable[[Standing], Right],
    *,
    not_again: Callable[[Standing], Sequence[Address]] = lambda _: (),
) -> tuple[Desk, Standing]:
    """An open agreement and one of its milestones, at the hands of whoever has the right.

    Whoever is in `not_again` is not chosen by default.

    Raises:
        EscrowError: not open, no such milestone, not possible now, or not with that key.
    """
    desk = open_desk(session, name, key)
    standing = desk.standing(key)
    right = right if isinstance(right, Right) else right(standing)
    right.require(standing)
    allowed = holders(standing, right.role)
    done = not_again(standing)
    left = [account for account in allowed if account not in done] or allowed
    desk = desk.chosen(left)
    right.require_of(standing, desk.account)
    return desk, standing
