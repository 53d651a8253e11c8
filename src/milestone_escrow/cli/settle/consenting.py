"""What `escrow approve`, `refund` and `settle` do: splits that the parties consent to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.deeds import Deed, do, missing_consents, once
from milestone_escrow.cli.shell.desk import Desk, look, take_up
from milestone_escrow.cli.shell.paper import Paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import at_hand, choose, unlock
from milestone_escrow.deals.shares import share, split
from milestone_escrow.documents.files.signed_act import SignedAct, load_acts
from milestone_escrow.errors import EscrowError, LifecycleError, UsageError
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Role, Split, Verb
from milestone_escrow.protocol.signatures import Signer
from milestone_escrow.words.standing import Standing, only, person, require, split_words

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.verbs import Verbs
    from milestone_escrow.chain.send.transactions import Prepared


@dataclass(frozen=True, slots=True)
class Wish:
    """A settlement as it was asked for on the command line."""

    to_supplier: str | None
    to_buyer: str | None
    partner: str | None

    @property
    def names_split(self) -> bool:
        return self.to_supplier is not None or self.to_buyer is not None


def approve(
    session: Session, name: str, key: str | None, part: str | None, everything: bool, paper: Paper
) -> None:
    """The buyer pays."""
    giver = _Giver("approve", Role.BUYER, "approved", "approves it")
    _give(session, name, key, part, everything, paper, giver)


def refund(
    session: Session, name: str, key: str | None, part: str | None, everything: bool, paper: Paper
) -> None:
    """The payee gives back."""
    giver = _Giver("refund", Role.PAYEE, "given back", "gives money back")
    _give(session, name, key, part, everything, paper, giver)


@dataclass(frozen=True, slots=True)
class _Giver:
    """One side that gives up its claim on a milestone, which needs nobody else."""

    verb: str
    role: Role
    doing: str
    does: str

    def deed(self, standing: Standing, units: int, paper: Paper) -> Deed:
        bound, index = standing.bound, standing.planned.index
        if self.role is Role.BUYER:
            act = _resolution(standing, Split(units, 0), paper)
            return Deed(standing, act, lambda verbs: verbs.approve(bound, index, units))
        act = _resolution(standing, Split(0, units), paper)
        return Deed(standing, act, lambda verbs: verbs.refund(bound, index, units))


def _give(
    session: Session,
    name: str,
    key: str | None,
    part: str | None,
    everything: bool,
    paper: Paper,
    giver: _Giver,
) -> None:
    require_choice(key, everything)
    if everything and part:
        raise UsageError("--all and --amount do not go together", hint="name one milestone")
    if key is not None:
        desk, standing = take_up(
            session, name, key, Verb.RESOLVE, giver.role, doing=giver.doing, does=giver.does
        )
        chosen = [standing]
    else:
        desk, chosen = _all_of_giver(session, name, giver)
    deeds = [
        giver.deed(standing, share(standing, part, standing.held), paper) for standing in chosen
    ]
    do(session, desk, giver.verb, deeds, paper)


def _all_of_giver(session: Session, name: str, giver: _Giver) -> tuple[Desk, list[Standing]]:
    """Every milestone that holds money and that the signer may give up."""
    desk = look(session, name)
    desk.require_open()
    holding = all_holding(desk)
    owners = {standing.key: _parties(standing)[giver.role is Role.PAYEE] for standing in holding}
    accounts = tuple(dict.fromkeys(owners.values()))
    signer = choose(session, desk.bound, desk.network.chain_id, accounts)
    mine = [standing for standing in holding if owners[standing.key] == signer.address]
    if not mine:
        raise only(holding[0], giver.role, giver.does, signer.address)
    for standing in holding:
        if standing not in mine:
            owner = person(desk.bound, owners[standing.key])
            session.say(f"'{standing.key}' is left out: it is {owner}'s to give up")
    return desk.acting(signer), mine


def settle(
    session: Session, name: str, key: str | None, everything: bool, wish: Wish, paper: Paper
) -> None:
    """Both consents together: the sender's own, and the other side's signature."""
    require_choice(key, everything)
    desk = look(session, name, key)
    desk.require_open()
    chosen = all_holding(desk) if key is None else [desk.standing(key)]
    for standing in chosen:
        require(standing, Verb.RESOLVE, Role.BUYER, doing="settled")
    acts = _proposed(session, desk, chosen, wish, paper)
    desk = desk.acting(_own_side(session, desk, chosen, acts, paper))
    deeds = [
        Deed(standing, signed.act, _settling(signed), signatures=signed.signatures)
        for standing, signed in zip(chosen, acts, strict=True)
    ]
    do(session, desk, "settle", deeds, paper)


def require_choice(key: str | None, everything: bool) -> None:
    """A milestone or --all, and not both."""
    if key and everything:
        raise UsageError("a milestone is named and --all is given", hint="keep one of the two")
    if not key and not everything:
        raise UsageError("the milestone is missing", hint="name one by its key, or add --all")


def all_holding(desk: Desk) -> list[Standing]:
    """The milestones in which money waits.

    Raises:
        LifecycleError: there are none.
    """
    holding = [standing for standing in desk.standings() if standing.state.status.holds]
    for before in desk.earlier:
        for standing in before.standings():
            if standing.state.status.holds:
                desk.session.say(
                    f"'{standing.key}' is left out: an earlier version decides it, so name it alone"
                )
    if not holding:
        raise LifecycleError(
            f"no money waits in {desk.bound.agreement.reference}",
            hint="`escrow status` shows what became of it",
        )
    return holding


def _proposed(
    session: Session, desk: Desk, chosen: list[Standing], wish: Wish, paper: Paper
) -> list[SignedAct]:
    """The splits with the consent that is there already: in a file, or of a second key."""
    if wish.partner and Path(wish.partner).is_file():
        there = {
            act.planned.key: act
            for act in load_acts(Path(wish.partner), desk.bound, session.wallets)
        }
        return [_of_partner(there, standing, wish) for standing in chosen]
    acts = [
        SignedAct(desk.bound, _resolution(standing, _split(standing, wish), paper), {}, {})
        for standing in chosen
    ]
    if not wish.partner:
        return acts
    keys = {key.name: key for key in at_hand(session, desk.bound, desk.network.chain_id)}
    if wish.partner not in keys:
        raise UsageError(
            f"'{wish.partner}' is neither a file nor a key here",
            hint="give the file that the other side wrote with --sign-only",
        )
    signer = unlock(session, keys[wish.partner])
    return [act.sign(signer) for act in acts]


def _of_partner(there: Mapping[str, SignedAct], standing: Standing, wish: Wish) -> SignedAct:
    """The other side's consent to this milestone's split, which must be the one asked for."""
    signed = there.get(standing.key)
    if signed is None or not isinstance(signed.act, Resolution):
        keys = " and ".join(f"'{key}'" for key in there)
        raise UsageError(f"{wish.partner} settles {keys}, not '{standing.key}'")
    result = Split(signed.act.to_payee, signed.act.to_buyer)
    if wish.names_split and _split(standing, wish) != result:
        raise UsageError(
            f"{wish.partner} {split_words(standing, result)}, not what was asked for",
            hint="leave --to-supplier and --to-buyer out to take it as it is",
        )
    require_current(standing, signed, str(wish.partner))
    return signed


def require_current(standing: Standing, signed: SignedAct, where: str) -> None:
    """Refuse what was signed before the milestone last changed."""
    if signed.act.sequence != standing.state.sequence:
        raise EscrowError(
            f"{where} was signed before '{standing.key}' last changed",
            hint="ask for a new signature",
        )


def _own_side(
    session: Session, desk: Desk, chosen: list[Standing], acts: list[SignedAct], paper: Paper
) -> Signer:
    """The key of the side whose consent is still missing; to a file, either side may sign."""
    needed = [
        account
        for standing, signed in zip(chosen, acts, strict=True)
        for account in missing_consents(standing, signed)
    ]
    if paper.file:
        parties = [account for standing in chosen for account in _parties(standing)]
        needed = [account for account in parties if account not in acts[0].signatures]
    candidates = tuple(dict.fromkeys(needed))
    signer = choose(session, desk.bound, desk.network.chain_id, candidates)
    if paper.file and signer.address not in candidates:
        names = " and ".join(person(desk.bound, account) for account in candidates)
        raise EscrowError(
            f"{person(desk.bound, signer.address)} is no side of '{chosen[0].key}'",
            hint=f"those are {names}",
        )
    missing = [account for account in candidates if account != signer.address]
    if missing and not paper.file:
        raise EscrowError(
            f"this split also needs the consent of {person(desk.bound, missing[0])}",
            hint="let them write it with --sign-only FILE, and add --with FILE",
        )
    return signer


def _settling(signed: SignedAct) -> Callable[[Verbs], Prepared]:
    act = signed.act
    assert isinstance(act, Resolution)
    return lambda verbs: verbs.settle(
        signed.bound,
        act.milestone,
        act.to_payee,
        act.to_buyer,
        signatures=signed.signatures,
        valid_until=act.valid_until,
    )


def _split(standing: Standing, wish: Wish) -> Split:
    return split(standing, wish.to_supplier, wish.to_buyer)


def _resolution(standing: Standing, result: Split, paper: Paper) -> Resolution:
    target = (standing.bound.id, standing.planned.index)
    return Resolution(*target, result.to_payee, result.to_buyer, *once(standing, paper))


def _parties(standing: Standing) -> tuple[Address, Address]:
    """Who must consent: the buyer to what the payee gets, the payee to what goes back."""
    return standing.terms.buyer, standing.payee
