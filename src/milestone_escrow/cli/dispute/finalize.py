"""`escrow finalize` and `escrow withdraw`: what time decided, and what could not be delivered."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Let time decide what has fallen due.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@click.option("--all", "everything", is_flag=True, help="Every milestone that has fallen due.")
@sends
def finalize(session: Session, agreement: str, milestone: str | None, everything: bool) -> None:
    """Let time decide a milestone whose period is over, as both sides signed. Anyone may.

    Without a milestone, the one that has fallen due.

    \b
    Examples:
      escrow finalize PO-2027-0114
      escrow finalize PO-2027-0114 manufactured
      escrow finalize PO-2027-0114 --all --yes
    """
    from milestone_escrow.cli.dispute.deciding import finalize_milestones

    finalize_milestones(session, agreement, milestone, everything)


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
    from milestone_escrow.cli.dispute.deciding import withdraw_credit

    withdraw_credit(session, agreement, person)
