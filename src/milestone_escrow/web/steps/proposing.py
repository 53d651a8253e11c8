"""Signing something for another to answer: what both the split and the offer have in common."""

from __future__ import annotations

from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.lifecycle import State, held
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.protocol.terms import DAY
from milestone_escrow.web.steps.wish import Table

VALID_FOR = 30 * DAY


def state_of(table: Table) -> State:
    """The milestone's state as the chain has it now."""
    return table.web.escrow.states(table.view)[table.index]


def left_of(table: Table) -> int:
    """What still waits for it, in token units.

    Raises:
        UsageError: nothing.
    """
    left = held(table.view.milestones[table.index], state_of(table))
    if not left:
        raise UsageError("nothing waits in the contract for this milestone")
    return left


def number(table: Table, step: str, name: str) -> int:
    """A whole number that the page held on to for a step.

    Raises:
        UsageError: it is not there.
    """
    text = str(table.wish.held.get(step, {}).get(name, ""))
    if not (text.isascii() and text.isdigit() and len(text) <= 39):
        raise UsageError("what was signed is not known any more", hint="start again")
    return int(text)


def keep(table: Table, act: Resolution | Offer, name: str) -> None:
    """Keep what the wallet has signed, for whoever answers it.

    Raises:
        UsageError: the account did not sign this.
        EscrowError: the milestone has changed since.
    """
    assert table.view.signed is not None
    if act.sequence != state_of(table).sequence:
        raise EscrowError("something has happened since this was signed", hint="start again")
    signed = SignedAct(table.view.signed.bound, act, {}, {})
    signed = signed.add(table.wish.account, table.wish.signed[name], table.web.api.wallets)
    api = table.web.api
    with api.store.transaction() as connection:
        now = api.chain_now(connection)
        proposals.keep(connection, signed, table.wish.account, now)
