"""With whose key and which way something is paid in."""

from __future__ import annotations

from collections.abc import Sequence

import click

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.signers import at_hand, unlock
from milestone_escrow.deals.funding import PaymentPlan
from milestone_escrow.errors import UsageError
from milestone_escrow.words.standing import Standing

WITH = click.option(
    "--with",
    "way",
    type=click.Choice(["allowance", "permit", "authorization"]),
    help="How it is paid; the best that token and wallet know otherwise.",
)


def plan_payment(desk: Desk, standings: Sequence[Standing], way: str | None) -> PaymentPlan:
    """How to pay these in; with an authorization the buyer pays, whoever sends.

    Raises:
        EscrowError: the payer has too little, or the token cannot be paid that way.
    """
    return PaymentPlan.of(_buyer(desk) if way == "authorization" else desk, standings, way)


def _buyer(desk: Desk) -> Desk:
    """The desk with the buyer's key, so that one sends what the other pays."""
    buyer = desk.bound.terms.buyer
    if desk.account == buyer:
        return desk
    for key in at_hand(desk.session, desk.bound, desk.network.chain_id):
        if key.account == buyer:
            return desk.acting(unlock(desk.session, key))
    raise UsageError(
        f"{desk.person(buyer)} pays, and that key is not here",
        hint="let them sign with --sign-only FILE, and send it with `escrow fund --submit FILE`",
    )
