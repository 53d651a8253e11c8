"""`escrow oracle explain`: what a milestone lacks, in a tree."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Show what a milestone still lacks before it is signed.")
@click.argument("agreement")
@click.argument("milestone")
@STORE
@CONFIG
@reads
def explain(
    session: Session, agreement: str, milestone: str, store: str | None, config: Path | None
) -> None:
    """Show what must be shown for a milestone as a tree: what is met, missing or failed, why, and
    since when; whether the oracle would sign, and what silence leads to.

    Without an oracle's store here it shows what will be asked for.

    \b
    Examples:
      escrow oracle explain PO-2027-0114 departed
      escrow oracle explain deal.yaml departed --json
    """
    from milestone_escrow.cli.oracle.explaining import explain_milestone

    explain_milestone(session, agreement, milestone, store, config)
