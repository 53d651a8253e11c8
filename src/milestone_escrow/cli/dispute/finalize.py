"""`escrow finalize`: what time decided."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.desk import open_desk
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.collecting import due, finalization
from milestone_escrow.deals.rights import FINALIZE
from milestone_escrow.errors import UsageError


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
    if milestone and everything:
        raise UsageError("a milestone is named and --all is given", hint="keep one of the two")
    desk = open_desk(session, agreement, milestone)
    if milestone is not None:
        chosen = [desk.standing(milestone)]
        FINALIZE.require(chosen[0])
    else:
        chosen = due(desk)
    if len(chosen) > 1 and not everything:
        names = ", ".join(standing.key for standing in chosen)
        raise UsageError(
            f"{len(chosen)} milestones have fallen due: {names}", hint="name one, or --all"
        )
    desk = desk.chosen()
    run(desk, finalization(desk, chosen), [standing.key for standing in chosen])
