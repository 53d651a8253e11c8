"""`escrow demo`: an example agreement from signature to the last payment, in seconds."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import speaks
from milestone_escrow.cli.shell.session import Session

DEFAULT = "carpets"


@click.command(short_help="Play an example agreement through, start to end.")
@click.argument("example", required=False, metavar="[EXAMPLE]")
@click.option("--all", "everything", is_flag=True, help="Play all examples, one after the other.")
@speaks
def demo(session: Session, example: str | None, everything: bool) -> None:
    """Play an example agreement through on a private chain in this process, start to end.

    The contract is deployed, both sides sign, the buyer funds, evidence is checked, verifiers
    sign, the contract pays. The chain's clock starts on the agreement's date. At the end it is
    added up who got what; status 1 if anything is off by a single unit. Needs no network, leaves
    nothing behind.

    EXAMPLE is one of: carpets (the default), construction, electronics, remodelling, services,
    software.

    \b
    Examples:
      escrow demo
      escrow demo software
      escrow demo --all
      escrow demo services --json
    """
    if everything and example:
        raise click.UsageError("give an example or --all, not both")
    # Said before anything heavy is imported, so that nobody looks at an empty screen.
    what = "all examples" if everything else f"'{example or DEFAULT}'"
    session.say(f"Playing {what} on a private chain in this process. No real money, no network.")

    from milestone_escrow.cli.sandbox.playing import play_all, play_one

    if everything:
        play_all(session)
    else:
        play_one(session, example or DEFAULT)
