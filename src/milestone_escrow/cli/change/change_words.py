"""A change order in people's words: what differs, what it does, who must sign."""

from __future__ import annotations

from collections.abc import Collection

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.documents.change_orders.change_order import ChangeOrder
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.when import format_relative, format_time
from milestone_escrow.words.listing import listed
from milestone_escrow.words.standing import person


def difference_lines(order: ChangeOrder) -> list[str]:
    """Field by field, what was and what will be."""
    return order.difference.render().splitlines()


def plan_lines(
    desk: Desk, order: ChangeOrder, change: SignedChange, signed: Collection[str]
) -> list[str]:
    """What becomes of each milestone and of the money, and whose signature that takes."""
    agreement, now = desk.bound.agreement, desk.escrow.now()
    until = format_time(change.valid_until, agreement.timezone)
    return [
        "So",
        *(f"  {effect}" for effect in order.effects()),
        f"{_signatures(desk, order, signed)}; counts until {until} "
        f"({format_relative(change.valid_until, now)}), and only while nothing else happens to "
        "the milestones that move",
    ]


def _signatures(desk: Desk, order: ChangeOrder, signed: Collection[str]) -> str:
    """ "Needs Anna Bauer and Holz & Söhne, of whom Anna Bauer has signed"."""
    needed = [person(desk.bound, who) for who in dict.fromkeys(order.signers)]
    done = [person(desk.bound, who) for who in dict.fromkeys(order.signers) if who in signed]
    if len(done) == len(needed):
        return f"Signed by {listed(needed)}"
    have = f", of whom {listed(done)} has signed" if done else ", of whom nobody has signed"
    return f"Needs {listed(needed)}{have}"


def as_json(change: SignedChange, order: ChangeOrder) -> dict[str, object]:
    """A change order for machines: amounts in token units, times in Unix seconds."""
    return {
        "replaces": "0x" + change.old.id.hex(),
        "new_agreement": "0x" + change.new.id.hex(),
        "difference": order.difference.to_json(),
        "effects": list(order.effects()),
        "closes": list(order.closes),
        "funds": list(order.funds),
        "stays": list(order.stays),
        "carried": str(order.money.carried),
        "pulled": str(order.money.pulled),
        "returned": str(order.money.returned),
        "valid_until": change.valid_until,
        "signers": list(order.signers),
        "signed_by": list(change.signatures),
    }
