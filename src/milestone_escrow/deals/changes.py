"""Changing an open agreement: who has to sign a change order still, and sending it."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import undeliverable
from milestone_escrow.deals.paying import Chosen, permit_for
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.change_orders.change_order import ChangeOrder
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.when import format_time
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.listing import listed

AGAIN = "write it again with `escrow amend`, and sign that one"


def order_now(table: Table, change: SignedChange) -> ChangeOrder:
    """A change order that can still be carried out.

    Raises:
        EscrowError: it has been, it has expired, or something else has happened meanwhile.
    """
    agreement = table.bound.agreement
    if table.escrow.is_open(change.new.id):
        raise EscrowError(
            "this change order has been carried out",
            hint=f"see `escrow status {agreement.reference}`",
        )
    if table.escrow.now() > change.valid_until:
        until = format_time(change.valid_until, agreement.timezone)
        raise EscrowError(f"this change order counted until {until}", hint=AGAIN)
    try:
        return change.order(table.escrow.states(table.bound))
    except UsageError as error:
        raise EscrowError(
            f"{agreement.reference} has changed since this change order was written: "
            f"{error.message}",
            hint=AGAIN,
        ) from error


def missing(change: SignedChange, order: ChangeOrder) -> tuple[Address, ...]:
    """Who has to sign it still."""
    return tuple(who for who in dict.fromkeys(order.signers) if who not in change.signatures)


def may_send(table: Table, change: SignedChange, order: ChangeOrder) -> bool:
    """Whether nobody else has to sign it, nor to pay for it."""
    can_pay = not order.money.pulled or table.account == table.bound.terms.buyer
    return can_pay and not set(missing(change, order)) - {table.account}


def require_missing(table: Table, change: SignedChange, order: ChangeOrder) -> None:
    """Refuse the signature of somebody for whom it does not wait.

    Raises:
        EscrowError: with whom it waits for.
    """
    waits = missing(change, order)
    if table.account not in waits:
        signed = table.account in change.signatures
        names = listed([table.person(one) for one in waits or (table.bound.terms.buyer,)])
        said = (
            "has signed this change order already" if signed else "need not sign this change order"
        )
        raise EscrowError(f"{table.person(table.account)} {said}", hint=f"it waits for {names}")


def amendment(
    table: Table,
    change: SignedChange,
    order: ChangeOrder,
    chosen: Chosen | None,
    will: Sequence[str],
    facts: dict[str, object],
) -> Action:
    """The change order carried out by whoever sends it; `chosen` is how what is missing is paid."""
    pulled = order.money.pulled
    return Action(
        doing=table.doing("change"),
        will=[
            *will,
            *([chosen.line(table, pulled)] if chosen else []),
            *undeliverable(table, [(table.bound.terms.buyer, order.money.returned)]),
        ],
        prepare=lambda: table.verbs.amend(
            table.bound,
            order.amendment,
            change.signatures,
            permit=permit_for(table, pulled, chosen) if chosen else None,
        ),
        first=chosen.first if chosen else (),
        facts=facts,
    )
