"""What `escrow approve`, `refund` and `settle` do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.desk import Desk, look, take_up
from milestone_escrow.cli.home import write
from milestone_escrow.cli.outcome import show_outcome
from milestone_escrow.cli.output import bold, command, good
from milestone_escrow.cli.sending import Intent, carry_out
from milestone_escrow.cli.shares import share, split
from milestone_escrow.cli.signers import at_hand, choose, unlock
from milestone_escrow.cli.words import Standing, amount, person, require, split_words
from milestone_escrow.documents.consent import SignedSplit, load_split
from milestone_escrow.documents.when import parse_duration
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.lifecycle import Role, Split, Verb, fee


@dataclass(frozen=True, slots=True)
class Wish:
    """A settlement as it was asked for on the command line."""

    to_supplier: str | None
    to_buyer: str | None
    partner: str | None
    valid_for: str


def approve_milestone(session: Session, name: str, key: str, part: str | None) -> None:
    """The buyer pays."""
    desk, standing = take_up(
        session, name, key, Verb.RESOLVE, Role.BUYER, doing="approved", does="approves it"
    )
    units = share(standing, part, standing.held)
    intent = Intent(
        doing=desk.doing("approve"),
        will=effect(standing, Split(units, 0)),
        prepare=lambda: desk.verbs.approve(desk.bound, key, units),
        facts={"milestone": key, "to_payee": str(units), "to_buyer": "0"},
    )
    show_outcome(session, desk, intent, carry_out(session, desk, intent), [key])


def refund_milestone(session: Session, name: str, key: str, part: str | None) -> None:
    """The payee gives back."""
    desk, standing = take_up(
        session, name, key, Verb.RESOLVE, Role.PAYEE, doing="given back", does="gives money back"
    )
    units = share(standing, part, standing.held)
    intent = Intent(
        doing=desk.doing("refund"),
        will=effect(standing, Split(0, units)),
        prepare=lambda: desk.verbs.refund(desk.bound, key, units),
        facts={"milestone": key, "to_payee": "0", "to_buyer": str(units)},
    )
    show_outcome(session, desk, intent, carry_out(session, desk, intent), [key])


def consent_to_file(session: Session, name: str, key: str, wish: Wish, file: Path) -> None:
    """One side's consent, for the other side to send."""
    desk, standing = _look(session, name, key)
    result = split(standing, wish.to_supplier, wish.to_buyer)
    parties = _parties(standing)
    signer = choose(session, desk.bound, desk.network.chain_id, parties)
    if signer.address not in parties:
        raise EscrowError(
            f"{person(desk.bound, signer.address)} is no side of '{key}'",
            hint=f"those are {' and '.join(person(desk.bound, p) for p in parties)}",
        )
    resolution = _resolution(desk, standing, result, wish)
    name_of_signer = person(desk.bound, signer.address)
    session.say(bold(f"settle {desk.bound.agreement.reference}, '{key}', to {file}"))
    for line in effect(standing, result):
        session.say(f"  {line}")
    session.say(f"\n  {name_of_signer} consents to that; the other side can send it\n")
    session.confirm("Sign it?")
    signed = SignedSplit(desk.bound, resolution, {}).sign(signer)
    write(file, signed.dumps())
    session.say(f"{good('Signed')}, nothing was sent. Next, the other side sends {file} with:")
    session.say(f"  {command(f'escrow settle {desk.name} {key} --with {file}')}")
    session.emit({"file": str(file), "sent": False, **_as_json(signed)})


def settle_milestone(session: Session, name: str, key: str, wish: Wish) -> None:
    """Both consents together: the sender's own, and the other side's signature."""
    desk, standing = _look(session, name, key)
    signed = _other_side(session, desk, standing, wish)
    result = Split(signed.resolution.to_payee, signed.resolution.to_buyer)
    needed = tuple(
        account
        for units, account in zip(
            (result.to_payee, result.to_buyer), _parties(standing), strict=True
        )
        if units and account not in signed.signatures
    )
    signer = choose(session, desk.bound, desk.network.chain_id, needed)
    missing = [account for account in needed if account != signer.address]
    if missing:
        other = person(desk.bound, missing[0])
        raise EscrowError(
            f"this split also needs the consent of {other}",
            hint="let them write it with --sign-only FILE, and add --with FILE",
        )
    desk = desk.acting(signer)
    intent = Intent(
        doing=desk.doing("settle"),
        will=effect(standing, result),
        prepare=lambda: desk.verbs.settle(
            desk.bound,
            key,
            result.to_payee,
            result.to_buyer,
            signatures=signed.signatures,
            valid_until=signed.resolution.valid_until,
        ),
        facts={"milestone": key, **_as_json(signed)},
    )
    show_outcome(session, desk, intent, carry_out(session, desk, intent), [key])


def _look(session: Session, name: str, key: str) -> tuple[Desk, Standing]:
    desk = look(session, name)
    desk.require_open()
    standing = desk.standing(key)
    require(standing, Verb.RESOLVE, Role.BUYER, doing="settled")
    return desk, standing


def _other_side(session: Session, desk: Desk, standing: Standing, wish: Wish) -> SignedSplit:
    """The split with the consent that is there already: in a file, or of a second key."""
    if wish.partner and Path(wish.partner).is_file():
        signed = load_split(Path(wish.partner), desk.bound)
        _require_same(standing, signed.resolution, wish)
        return signed
    result = split(standing, wish.to_supplier, wish.to_buyer)
    signed = SignedSplit(desk.bound, _resolution(desk, standing, result, wish), {})
    if not wish.partner:
        return signed
    keys = {key.name: key for key in at_hand(session, desk.bound, desk.network.chain_id)}
    if wish.partner not in keys:
        raise UsageError(
            f"'{wish.partner}' is neither a file nor a key here",
            hint="give the file that the other side wrote with --sign-only",
        )
    return signed.sign(unlock(session, keys[wish.partner]))


def _require_same(standing: Standing, resolution: Resolution, wish: Wish) -> None:
    if resolution.milestone != standing.planned.index:
        key = standing.bound.agreement.milestones[resolution.milestone].key
        raise UsageError(f"{wish.partner} settles '{key}', not '{standing.key}'")
    there = Split(resolution.to_payee, resolution.to_buyer)
    if wish.to_supplier or wish.to_buyer:
        asked = split(standing, wish.to_supplier, wish.to_buyer)
        if asked != there:
            raise UsageError(
                f"{wish.partner} {split_words(standing, there)}, not what was asked for",
                hint="leave --to-supplier and --to-buyer out to take it as it is",
            )
    if resolution.sequence != standing.state.sequence:
        raise EscrowError(
            f"{wish.partner} was signed before '{standing.key}' last changed",
            hint="ask the other side to sign again",
        )


def _resolution(desk: Desk, standing: Standing, result: Split, wish: Wish) -> Resolution:
    return Resolution(
        agreement_id=desk.bound.id,
        milestone=standing.planned.index,
        to_payee=result.to_payee,
        to_buyer=result.to_buyer,
        sequence=standing.state.sequence,
        valid_until=standing.now + parse_duration(wish.valid_for),
    )


def _parties(standing: Standing) -> tuple[str, str]:
    """Who must consent: the buyer to what the payee gets, the payee to what goes back."""
    return standing.terms.buyer, standing.payee


def effect(standing: Standing, result: Split) -> list[str]:
    """What a split that is sent now does, in words."""
    lines = [f"'{standing.key}': {split_words(standing, result)} now, final"]
    if charge := fee(standing.terms, result.to_payee):
        lines.append(f"of which {amount(standing, charge)} is the fee")
    if rest := standing.held - result.total:
        lines.append(f"{amount(standing, rest)} stays in the contract and waits as before")
    return lines


def _as_json(signed: SignedSplit) -> dict[str, object]:
    return {
        "to_payee": str(signed.resolution.to_payee),
        "to_buyer": str(signed.resolution.to_buyer),
        "valid_until": signed.resolution.valid_until,
        "signed_by": list(signed.signatures),
    }
