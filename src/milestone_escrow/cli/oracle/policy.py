"""`escrow oracle policy`: what the oracle may sign."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.session import Session


@click.group(short_help="Look at what the oracle may sign.")
def policy() -> None:
    """The limits under [limits] in oracle.toml, tried out before they count.

    \b
    Examples:
      escrow oracle policy test
    """


@policy.command(short_help="Try the limits on what has happened.")
@STORE
@CONFIG
@reads
def test(session: Session, store: str | None, config: Path | None) -> None:
    """Try the limits on every milestone that was ever accepted, in order, and on those that wait
    for the oracle's signature now: what would have been signed, what refused, and why.

    Signs nothing and changes nothing. Status 1 if anything would have been refused.

    \b
    Examples:
      escrow oracle policy test
      escrow oracle policy test --config stricter.toml --json
    """
    from milestone_escrow.cli.oracle.policies import try_limits

    try_limits(session, store, config)
