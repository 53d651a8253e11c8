"""`escrow oracle`: the service, and what it thinks."""

from __future__ import annotations

from collections.abc import Mapping

import click

from milestone_escrow.cli.shell.entry import Entry, EntryGroup

# Every subcommand of its own module: name, where it is, and its line in the help.
COMMANDS: Mapping[str, Entry] = {
    "run": Entry("oracle.run", "run", "Run the service until it is stopped."),
    "doctor": Entry("oracle.doctor", "doctor", "Check everything before the first run."),
    "explain": Entry(
        "oracle.explain", "explain", "Show what a milestone still lacks before it is signed."
    ),
    "policy": Entry("oracle.policy", "policy", "Look at what the oracle may sign."),
    "signatures": Entry(
        "oracle.signatures", "signatures", "Move a key's signing history to another machine."
    ),
    "log": Entry("oracle.log", "log", "Show or verify the audit log."),
}


class OracleGroup(EntryGroup):
    """The service's own commands: it is large, so they are imported one by one."""

    entries = COMMANDS

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=OracleGroup, short_help="Run the service that watches, checks, signs and submits.")
def oracle() -> None:
    """The service that watches the chain, checks evidence, signs what it may, and submits.

    \b
    Examples:
      escrow oracle run
      escrow oracle explain PO-2027-0114 departed
      escrow oracle log verify
    """
