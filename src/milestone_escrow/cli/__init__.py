"""The command line: click, one file per verb family, no logic of its own.

`escrow --help` must be quick, so this module knows every command by name and one line; the module
behind a command is imported when it runs, and heavy libraries inside its functions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from milestone_escrow.cli.shell import boundary
from milestone_escrow.cli.shell.entry import Entry, EntryGroup
from milestone_escrow.cli.shell.home import prefer_fast_hashing, wants_colour
from milestone_escrow.cli.shell.output import bear_narrow_terminals
from milestone_escrow.cli.shell.refused_secrets import refuse_secrets

FAMILIES: Mapping[str, Mapping[str, Entry]] = {
    "Try it": {
        "demo": Entry("sandbox.demo", "demo", "Play an example agreement through, start to end."),
        "sandbox": Entry(
            "sandbox.sandbox", "sandbox", "Run a private chain with everything set up."
        ),
    },
    "Prepare": {
        "agreement": Entry(
            "agreement.agreement", "agreement", "Write, check, show and sign agreements."
        ),
        "key": Entry("key.key", "key", "Create, list and import encrypted keys."),
        "network": Entry("network.network", "network", "List, check and add networks."),
        "deploy": Entry("network.deploy", "deploy", "Put the escrow contract on a network."),
        "doctor": Entry("network.doctor", "doctor", "Check everything before money moves."),
    },
    "Pay in": {
        "open": Entry("fund.open", "open_", "Open a signed agreement, and fund milestones."),
        "fund": Entry("fund.fund", "fund", "Pay milestones into the contract."),
    },
    "Decide": {
        "attest": Entry(
            "attest.attest", "attest", "Sign a verdict on a milestone as its verifier."
        ),
        "submit": Entry("dispute.submit", "submit", "State that a milestone is done."),
        "dispute": Entry(
            "dispute.dispute", "dispute", "Object to what is about to happen, or look at a dispute."
        ),
        "approve": Entry(
            "settle.give", "approve", "Let the buyer pay a milestone, or a part of it."
        ),
        "refund": Entry("settle.give", "refund", "Let the payee give a milestone back."),
        "settle": Entry("settle.settle", "settle", "Split a milestone by agreement of both sides."),
        "rule": Entry("dispute.rule", "rule", "Split a disputed milestone as the arbiter."),
        "finalize": Entry("dispute.finalize", "finalize", "Let time decide what has fallen due."),
        "withdraw": Entry(
            "dispute.withdraw", "withdraw", "Collect a payout that could not be delivered."
        ),
        "send": Entry("send.send", "send", "Send what somebody signed to a file."),
        "sign": Entry("safe.sign", "sign", "Put a wallet's own signature into a file."),
        "safe": Entry("safe.safe", "safe", "Sign as a Safe: collect its owners' signatures."),
    },
    "Serve": {
        "oracle": Entry(
            "oracle.oracle", "oracle", "Run the service that watches, checks, signs and submits."
        ),
        "evidence": Entry(
            "evidence.evidence", "evidence", "Hand in evidence for a milestone, and get it."
        ),
    },
    "Change": {
        "amend": Entry(
            "change.amend",
            "amend",
            "Change an open agreement: both sides sign, the money moves over.",
        ),
        "extend": Entry("change.amend", "extend_", "Write the change order that moves one date."),
        "receivable": Entry(
            "receivable.receivable", "receivable", "Sell a milestone's payout, or buy one."
        ),
    },
    "Look": {
        "status": Entry(
            "status.status", "status_", "Show what needs you, or where an agreement stands."
        ),
        "history": Entry("status.history", "history", "Show what has happened to an agreement."),
        "tx": Entry("send.tx", "tx", "Replace a transaction that is stuck."),
    },
    "Keep the books": {
        "invoice": Entry("books.books", "invoice", "Write a milestone's invoice as PDF."),
        "receipt": Entry("books.books", "receipt", "Write a milestone's receipt as PDF."),
        "statement": Entry(
            "books.books", "statement", "List every movement of money, for accounting."
        ),
        "audit": Entry(
            "books.audit", "audit", "Export everything about an agreement, and verify it."
        ),
    },
}
COMMANDS: Mapping[str, Entry] = {
    name: entry for family in FAMILIES.values() for name, entry in family.items()
}


class LazyGroup(EntryGroup):
    """All commands, by family; a name that is none gets the one that was probably meant."""

    entries = COMMANDS

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], COMMANDS, n=1, cutoff=0.6)
            hint = f"did you mean `escrow {close[0]}`?" if close else "see `escrow --help`"
            raise click.UsageError(f"there is no command '{args[0]}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for family, entries in FAMILIES.items():
            with formatter.section(family):
                rows = [(name.ljust(width), entry.help) for name, entry in entries.items()]
                formatter.write_dl(rows)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command line; always exits, with 0, 1 (failure), 2 (usage) or 130 (interrupted)."""
        arguments = list(sys.argv[1:] if args is None else args)
        with boundary.catching(arguments):
            refuse_secrets(arguments)
            # Without its own error handling, click hands back what `ctx.exit` was given.
            status = super().main(
                args=arguments,
                prog_name=prog_name or "escrow",
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        sys.exit(status if isinstance(status, int) else 0)


@click.group(
    "escrow",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="milestone-escrow", message="escrow %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Pay for work in stages: the buyer's stablecoins wait in a contract, verifiers sign what
    they checked, and the contract pays.

    AGREEMENT is a file, a reference, an id or the first digits of one; a milestone is its key.

    \b
    Examples:
      escrow demo                              see a whole deal in a few seconds
      escrow sandbox                           a place to try things, in a terminal of its own
      escrow agreement new carpets -o deal.yaml
      escrow agreement check deal.yaml
      escrow status                            what needs you, with the command that does it
    """
    if not wants_colour():
        ctx.color = False


def main() -> None:
    """The console script."""
    prefer_fast_hashing()
    bear_narrow_terminals()
    cli.main()
