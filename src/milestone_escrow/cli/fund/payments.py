"""Paying milestones in: what it means, how it is paid, and payments that somebody else sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.fund.paying import Chosen, choose_way, permit_for, require_balance
from milestone_escrow.cli.shell.desk import Desk, desk_of
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.letters import agreement_of
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.paper import Paper, seconds
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import at_hand, choose, unlock
from milestone_escrow.deals.action import Action
from milestone_escrow.documents.files.payment import SignedPayment, load_payment
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Role, Split, Status, Verb
from milestone_escrow.protocol.signatures import by_key
from milestone_escrow.words.standing import (
    Standing,
    amount,
    person,
    require,
    silence_words,
    split_words,
    when,
)

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.token_support import Way
    from milestone_escrow.chain.send.transactions import Prepared
    from milestone_escrow.protocol.paying import SignedAuthorization


@dataclass(frozen=True)
class Plan:
    """How some milestones are paid in; `payer` is the desk with the key of who pays."""

    payer: Desk
    keys: tuple[str, ...]
    units: int
    chosen: Chosen

    @property
    def way(self) -> Way:
        return self.chosen.way

    def line(self) -> str:
        return self.chosen.line(self.payer, self.units)

    def allow(self) -> Prepared | None:
        return self.chosen.allow(self.payer, self.units)

    def fund(self, sender: Desk) -> Prepared:
        if self.way == "authorization":
            return sender.verbs.fund_authorized(sender.bound, self.keys, self._authorization())
        permit = permit_for(self.payer, self.units, self.chosen)
        return sender.verbs.fund(sender.bound, self.keys, permit=permit)

    def open(self, sender: Desk, signatures: Mapping[Address, bytes]) -> Prepared:
        if self.way == "authorization":
            signed = self._authorization()
            return sender.verbs.open(sender.bound, signatures, self.keys, authorization=signed)
        permit = permit_for(self.payer, self.units, self.chosen)
        return sender.verbs.open(sender.bound, signatures, self.keys, permit=permit)

    def _authorization(self) -> SignedAuthorization:
        return self.payer.escrow.sign_authorization(self.payer.bound, self.keys)


def plan_payment(
    session: Session, desk: Desk, standings: Sequence[Standing], way: str | None
) -> Plan:
    """How to pay these in; with an authorization the buyer pays, whoever sends.

    Raises:
        EscrowError: the payer has too little, or the token cannot be paid that way.
    """
    keys = tuple(standing.key for standing in standings)
    units = sum(standing.milestone.amount for standing in standings)
    payer = _buyer(session, desk) if way == "authorization" else desk
    require_balance(payer, payer.signer.address, units)
    return Plan(payer, keys, units, choose_way(payer, units, way))


def _buyer(session: Session, desk: Desk) -> Desk:
    """The desk with the buyer's key, so that one sends what the other pays."""
    buyer = desk.bound.terms.buyer
    if desk.signer.address == buyer:
        return desk
    for key in at_hand(session, desk.bound, desk.network.chain_id):
        if key.account == buyer:
            return desk.acting(unlock(session, key))
    raise UsageError(
        f"{person(desk.bound, buyer)} pays, and that key is not here",
        hint="let them sign with --sign-only FILE, and send it with `escrow fund --submit FILE`",
    )


def payments(standings: Sequence[Standing], way: str) -> list[str]:
    """What paying these in means; `way` says how."""
    lines = [_payment(standing) for standing in standings]
    if len(standings) > 1:
        needed = sum(standing.milestone.amount for standing in standings)
        lines.append(f"which is {amount(standings[0], needed)} in all")
    return [*lines, way]


def _payment(standing: Standing) -> str:
    price = standing.milestone.amount
    if standing.milestone.is_deposit:
        paid = split_words(standing, Split(price, 0))
        return f"'{standing.key}': {paid} now, final"
    funded = replace(standing, state=replace(standing.state, status=Status.FUNDED))
    return (
        f"'{standing.key}': pays {amount(standing, price)} into the contract; "
        f"if nobody decides, {silence_words(funded)}"
    )


def require_fundable(standings: Iterable[Standing]) -> list[Standing]:
    """Refuse a milestone that cannot be paid in now."""
    chosen = list(standings)
    for standing in chosen:
        require(standing, Verb.FUND, Role.ANYONE, doing="funded")
    return chosen


def sign_payment(session: Session, desk: Desk, standings: Sequence[Standing], paper: Paper) -> None:
    """The payer's authorization, for anybody to send."""
    assert paper.file is not None
    first, keys = standings[0], [standing.key for standing in standings]
    units = sum(standing.milestone.amount for standing in standings)
    require_balance(desk, desk.signer.address, units)
    chosen, lasts = choose_way(desk, units, "authorization"), seconds(paper)
    session.say(bold(f"{desk.doing('fund')}, to {paper.file}"))
    limits = (
        f"counts once, until {when(first, first.now + lasts)}, for exactly "
        f"{'this milestone' if len(keys) == 1 else 'these milestones'}"
    )
    for line in (*payments(standings, chosen.line(desk, units)), limits):
        session.say(paragraph(line, "  "))
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit({"milestones": keys, "with": "authorization", "sent": False})
        return
    session.say()
    session.confirm("Sign it?")
    signed = desk.escrow.sign_authorization(desk.bound, keys, valid_for=lasts)
    write(paper.file, SignedPayment(desk.bound, tuple(keys), signed).dumps())
    session.say(f"{good('Signed')}, nothing was sent. Anyone sends {paper.file} with")
    session.say(f"  {command(f'escrow fund --submit {paper.file}')}")
    session.emit(
        {
            "milestones": keys,
            "with": "authorization",
            "file": str(paper.file),
            "value": str(signed.authorization.value),
            "valid_until": signed.authorization.valid_before,
            "sent": False,
        }
    )


def submit_payment(session: Session, file: Path) -> None:
    """Bring the gas for what somebody else signed to pay."""
    agreement = agreement_of(session, file)
    payment = load_payment(file, agreement.bound)
    desk = desk_of(session, agreement)
    desk.require_open()
    there = {standing.key: standing for standing in desk.standings()}
    standings = require_fundable(there[key] for key in payment.milestones)
    until = _require_payable(desk, standings[0], payment, file)
    desk = desk.acting(choose(session, desk.bound, desk.network.chain_id))
    payer = person(desk.bound, payment.signed.authorization.payer)
    way = f"paid by {payer}, whose signature counts until {when(standings[0], until)}"
    action = Action(
        doing=desk.doing(f"send {file} for"),
        will=payments(standings, way),
        prepare=lambda: desk.verbs.fund_authorized(desk.bound, payment.milestones, payment.signed),
        facts={
            "file": str(file),
            "milestones": list(payment.milestones),
            "with": "authorization",
            "payer": payment.signed.authorization.payer,
        },
    )
    run(desk, action, payment.milestones)


def _require_payable(desk: Desk, first: Standing, payment: SignedPayment, file: Path) -> int:
    """Until when it counts; refuse in words what the token would refuse.

    Raises:
        EscrowError: it is forged or expired, or the payer has too little.
    """
    from milestone_escrow.chain.contract.token_support import signs_by_key

    given = payment.signed.authorization
    if first.now >= given.valid_before:
        raise EscrowError(
            f"{file} counted until {when(first, given.valid_before)}",
            hint="ask the payer for a new one",
        )
    require_balance(desk, given.payer, given.value)
    domain = desk.escrow.token_domain(desk.bound.token.address, "authorization")
    digest, signature = given.typed_data(domain).digest(), payment.signed.signature
    # A contract wallet's signature has any length, and only its token can check it.
    short = len(signature) in (64, 65) and signs_by_key(desk.escrow.node, given.payer)
    if short and not by_key(given.payer, digest, signature):
        raise EscrowError(
            f"{file} is not signed by {person(desk.bound, given.payer)}",
            hint="ask the payer for the file again",
        )
    return given.valid_before
