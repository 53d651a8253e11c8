"""`escrow send`: whatever somebody signed to a file, sent by anybody."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Send what somebody signed to a file.")
@click.argument("file", type=click.Path(path_type=Path))
@sends
def send(session: Session, file: Path) -> None:
    """Send what somebody signed to a file with --sign-only; the sender only brings the gas.

    It takes acts of the parties and the arbiter, attestations that enough have signed, payments
    into the contract and complete change orders. What was signed is shown first, with who signed
    it and until when it counts. A signature dies with its date, and as soon as anything else
    happens to its milestone.

    \b
    Examples:
      escrow send claim.json
      escrow send ruling.json --as mykey --dry-run
    """
    from milestone_escrow.cli.send.delivering import send_file

    send_file(session, file)
