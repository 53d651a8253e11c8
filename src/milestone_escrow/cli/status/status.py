"""`escrow status`: what needs me, or where an agreement stands."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Show what needs you, or where an agreement stands.")
@click.argument("agreement", required=False)
@click.option("--as", "signer_name", metavar="NAME", help="Only what this key or role can do.")
@reads
def status(session: Session, agreement: str | None) -> None:
    """Show what needs you; with an agreement, where each milestone stands.

    Alone, it goes through every agreement that this machine knows and lists what waits for one
    of your keys, the most urgent first, each with the command that does it.

    \b
    Examples:
      escrow status
      escrow status --as supplier
      escrow status PO-2027-0114
      escrow status PO-2027-0114 --json
    """
    from milestone_escrow.cli.status import overview

    if agreement is None:
        overview.show_all(session)
    else:
        overview.show_one(session, agreement)
