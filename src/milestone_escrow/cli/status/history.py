"""`escrow history`: what has happened to an agreement."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Show what has happened to an agreement.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@reads
def history(session: Session, agreement: str, milestone: str | None) -> None:
    """Show what has happened to an agreement, or to one milestone, as the chain recorded it:
    date, who, what, and the transaction.

    Reasons and evidence lists stand there as hashes; those that this machine knows are shown in
    words.

    \b
    Examples:
      escrow history PO-2027-0114
      escrow history PO-2027-0114 manufactured
      escrow history PO-2027-0114 --json
    """
    from milestone_escrow.cli.status.telling import show_history

    show_history(session, agreement, milestone)
