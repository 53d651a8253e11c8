"""`escrow oracle log`: what the service did, and the proof that nobody changed it."""

from __future__ import annotations

import click

from milestone_escrow.cli.oracle.run import STORE
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.session import Session


@click.group(short_help="Show or verify the audit log.")
def log() -> None:
    """The audit log: each entry commits to the one before by its hash.

    \b
    Examples:
      escrow oracle log show
      escrow oracle log verify
    """


@log.command(short_help="Show entries of the audit log.")
@click.option("--subject", metavar="ID", help="Only those about this agreement, or ID/MILESTONE.")
@click.option("--last", type=click.IntRange(1), default=20, metavar="N", help="How many; 20.")
@STORE
@reads
def show(session: Session, subject: str | None, last: int, store: str | None) -> None:
    """Show the last entries of the audit log, the newest at the end.

    \b
    Examples:
      escrow oracle log show
      escrow oracle log show --last 100 --json
    """
    from milestone_escrow.cli.oracle.showing_log import show_log

    show_log(session, store, subject or "", last)


@log.command(short_help="Verify the audit log's chain of hashes.")
@STORE
@reads
def verify(session: Session, store: str | None) -> None:
    """Follow the chain of hashes from the first entry to the last.

    Keep the hash that it prints: whoever cuts off the end later is found by it.

    \b
    Examples:
      escrow oracle log verify
      escrow oracle log verify --store postgresql://escrow@db/escrow
    """
    from milestone_escrow.cli.oracle.showing_log import verify_log

    verify_log(session, store)
