"""`escrow withdraw`: what could not be delivered."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.desk import open_desk
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.sending import body, carry_out
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.collecting import waiting_for, withdrawal


@click.command(short_help="Collect a payout that could not be delivered.")
@click.argument("agreement")
@click.option("--for", "person", metavar="ROLE", help="Whose: buyer, supplier; all otherwise.")
@sends
def withdraw(session: Session, agreement: str, person: str | None) -> None:
    """Collect a payout that could not be delivered, for example because the token's issuer had
    blocked the account. It goes to that account only, whoever sends this.

    \b
    Examples:
      escrow withdraw PO-2027-0114
      escrow withdraw PO-2027-0114 --for supplier
    """
    desk = open_desk(session, agreement)
    waiting = waiting_for(desk, person)
    desk = desk.chosen()
    action = withdrawal(desk, waiting)
    receipts = carry_out(desk, action)
    if receipts:
        for account, units in waiting.items():
            session.say(f"Paid {desk.amount(units)} to {desk.person(account)}.")
        session.emit(body(desk, action, receipts))
