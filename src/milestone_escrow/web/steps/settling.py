"""Splitting what is held by consent: one side signs a split, the other one sends it."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.documents.when import format_time
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import payee
from milestone_escrow.web.steps.proposing import (
    VALID_FOR,
    keep,
    left_of,
    number,
    state_of,
)
from milestone_escrow.web.steps.wish import Step, Table, done, send, sign
from milestone_escrow.words.standing import person

NAME = "resolution"


def settle(table: Table) -> Step:
    """Take the other side's proposal, or sign one for it."""
    _require_side(table)
    chosen = table.wish.text("proposal", wanted=False)
    if chosen:
        return _taken(table, chosen)
    if NAME in table.wish.signed:
        return _proposed(table)
    act = _wanted(table)
    if not _other_consent(table, act):
        # Who gives alone needs nobody's answer.
        return _send(table, act, {})
    held = {
        "to_payee": str(act.to_payee),
        "to_buyer": str(act.to_buyer),
        "sequence": act.sequence,
        "valid_until": act.valid_until,
    }
    data = act.typed_data(table.web.escrow.domain)
    other = _name(table, _others(table)[0])
    assert table.view.agreement is not None
    until = format_time(act.valid_until, table.view.agreement.timezone)
    return sign(
        NAME,
        "Propose this split",
        data,
        _words(table, act),
        f"Signing costs nothing and moves nothing. {other} can accept it until {until}, unless "
        "something else happens to the milestone before.",
        held=held,
    )


def _wanted(table: Table) -> Resolution:
    to_payee, left = table.units("to_payee"), left_of(table)
    if to_payee is None or to_payee > left:
        raise UsageError(f"the payee can be given 0 to {table.amount(left)}", hint="write how much")
    until = table.web.escrow.now() + VALID_FOR
    sequence = state_of(table).sequence
    return Resolution(table.view.id, table.index, to_payee, left - to_payee, sequence, until)


def _proposed(table: Table) -> Step:
    names = ("to_payee", "to_buyer", "sequence", "valid_until")
    act = Resolution(table.view.id, table.index, *(number(table, NAME, name) for name in names))
    keep(table, act, NAME)
    other = _name(table, _others(table)[0])
    return done("Proposed", _words(table, act), f"{other} finds it on the agreement's page.")


def _taken(table: Table, chosen: str) -> Step:
    with table.web.api.store.reading() as connection:
        now = table.web.api.chain_now(connection)
        found = proposals.splits(connection, table.view, table.index, now)
    signed: SignedAct = proposals.named(found, chosen)
    act = signed.act
    assert isinstance(act, Resolution)
    if table.wish.account in signed.signatures:
        raise UsageError("this is your own proposal", hint="the other side accepts it")
    return _send(table, act, signed.signatures)


def _send(table: Table, act: Resolution, signatures: Mapping[Address, bytes]) -> Step:
    verbs = table.web.escrow.prepare_for(table.wish.account)
    prepared = verbs.settle(
        table.view,
        table.index,
        act.to_payee,
        act.to_buyer,
        signatures=signatures,
        valid_until=act.valid_until if signatures else 0,
    )
    return send("act", "Settle", prepared, _words(table, act), "It is final.")


def _words(table: Table, act: Resolution) -> str:
    to_payee = _name(table, payee(table.view.terms, state_of(table)))
    to_buyer = _name(table, table.view.terms.buyer)
    return (
        f"{table.amount(act.to_payee)} go to {to_payee}, "
        f"{table.amount(act.to_buyer)} back to {to_buyer}."
    )


def _sides(table: Table) -> tuple[Address, Address]:
    return table.view.terms.buyer, payee(table.view.terms, state_of(table))


def _others(table: Table) -> tuple[Address, ...]:
    return tuple(side for side in _sides(table) if side != table.wish.account)


def _other_consent(table: Table, act: Resolution) -> bool:
    """Whether the other side gives something up: the buyer what is paid, the payee the rest."""
    buyer, to_payee = _sides(table)
    gives = ((buyer, act.to_payee), (to_payee, act.to_buyer))
    return any(units and side != table.wish.account for side, units in gives)


def _require_side(table: Table) -> None:
    if table.wish.account not in _sides(table):
        buyer, to_payee = (_name(table, side) for side in _sides(table))
        raise UsageError(
            f"{table.wish.account} is neither the buyer nor the payee here",
            hint=f"{buyer} and {to_payee} split it between them",
        )


def _name(table: Table, account: Address) -> str:
    assert table.view.signed is not None
    return person(table.view.signed.bound, account)
