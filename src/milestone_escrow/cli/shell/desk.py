"""An agreement on its network with somebody's key: what the verbs work at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import Role, Split, State, Status, Verb
from milestone_escrow.words.standing import Standing, holders, only, person, require, standings

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.chain.contract.events import Event
    from milestone_escrow.chain.contract.verbs import Verbs
    from milestone_escrow.chain.node.networks import Network
    from milestone_escrow.chain.send.transactions import Prepared, Receipt
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.documents.files.signed_agreement import SignedAgreement
    from milestone_escrow.documents.files.signed_change import SignedChange
    from milestone_escrow.protocol.eip712 import Address
    from milestone_escrow.protocol.signatures import Signer


@dataclass(frozen=True)
class Desk:
    """One agreement, one contract, and the key of whoever acts (none while only looking)."""

    session: Session
    signed: SignedAgreement
    escrow: Escrow

    @property
    def bound(self) -> BoundAgreement:
        return self.signed.bound

    @property
    def network(self) -> Network:
        return self.escrow.network

    @property
    def signer(self) -> Signer:
        assert self.escrow.signer is not None
        return self.escrow.signer

    @property
    def verbs(self) -> Verbs:
        return self.escrow.prepare

    @cached_property
    def name(self) -> str:
        """How to name this agreement in a command: its reference, if that is enough."""
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

    def require_open(self) -> None:
        """Refuse an agreement that is not open on the chain.

        Raises:
            EscrowError: with the command that opens it.
        """
        if not self.escrow.is_open(self.bound.id):
            raise EscrowError(
                f"{self.bound.agreement.reference} is not open on {self.network.title}",
                hint=f"the buyer opens it with `escrow open {self.name}`",
            )
        self.session.shelf.put(self.signed)

    def standings(self) -> tuple[Standing, ...]:
        """Every milestone as it is now."""
        events = self.escrow.events(self.bound)
        states = _remembered(self.escrow.states(self.bound), events)
        return standings(self.bound, states, self.escrow.now(), _paid_out(self.bound, events))

    def standing(self, key: str) -> Standing:
        """One milestone as it is now.

        Raises:
            UsageError: there is no milestone of that key.
        """
        return self.standings()[milestone_index(self.bound, key)]

    def acting(self, signer: Signer) -> Desk:
        return replace(self, escrow=self.escrow.acting_as(signer))

    def send(self, prepared: Prepared) -> Receipt:
        return self.escrow.send(prepared)

    def doing(self, verb: str) -> str:
        """The heading of a command: "fund SHED-7 on Sandbox as Anna Bauer (buyer)"."""
        account = self.signer.address
        roles = self.bound.agreement.roles(account)
        name = person(self.bound, account) + (f" ({', '.join(roles)})" if roles else "")
        return f"{verb} {self.bound.agreement.reference} on {self.network.title} as {name}"


def _remembered(states: Sequence[State], events: Sequence[Event]) -> Sequence[State]:
    """The states with the payees of what is settled, which the contract forgets."""
    from milestone_escrow.chain.contract.events import MilestoneAssigned

    assigned = {e.milestone: e.assignee for e in events if isinstance(e, MilestoneAssigned)}
    return [
        replace(state, assignee=assigned[index])
        if state.status is Status.SETTLED and index in assigned
        else state
        for index, state in enumerate(states)
    ]


def _paid_out(bound: BoundAgreement, events: Sequence[Event]) -> Sequence[Split]:
    """What has left each milestone; the contract forgets that once it is settled."""
    from milestone_escrow.chain.contract.events import MilestonePaid

    payee = [0] * len(bound.milestones)
    buyer = [0] * len(bound.milestones)
    for event in events:
        if isinstance(event, MilestonePaid):
            payee[event.milestone] += event.to_payee + event.fee
            buyer[event.milestone] += event.to_buyer
    return [Split(*both) for both in zip(payee, buyer, strict=True)]


def milestone_index(bound: BoundAgreement, key: str) -> int:
    """A milestone by its key; a number is explained, because people never see indexes."""
    if key.isdigit() and all(m.key != key for m in bound.agreement.milestones):
        keys = ", ".join(m.key for m in bound.agreement.milestones)
        raise UsageError(f"milestones have names, not numbers like {key}", hint=f"one of {keys}")
    return bound.agreement.index(key)


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
    return Desk(session, signed, session.connect(signed))


def take_up(
    session: Session,
    name: str,
    key: str,
    verb: Verb,
    role: Role,
    *,
    doing: str,
    does: str,
    not_again: Callable[[Standing], Sequence[Address]] = lambda _: (),
) -> tuple[Desk, Standing]:
    """An open agreement and one of its milestones, at the hands of whoever may use `verb`.

    `doing` and `does` complete sentences: "it cannot be ruled on", "only the arbiter rules".
    Whoever is in `not_again` is not chosen by default.

    Raises:
        EscrowError: not open, no such milestone, not possible now, or not with that key.
    """
    desk = look(session, name, key)
    desk.require_open()
    standing = desk.standing(key)
    require(standing, verb, role, doing=doing)
    allowed = holders(standing, role)
    done = not_again(standing)
    left = [account for account in allowed if account not in done] or allowed
    signer = choose(session, desk.bound, desk.network.chain_id, left)
    if allowed and signer.address not in allowed:
        raise only(standing, role, does, signer.address)
    return desk.acting(signer), standing
