"""`escrow rule`: the arbiter decides a dispute."""

from __future__ import annotations

import click

from milestone_escrow.cli.dispute.giving import do_and_give, require_sent
from milestone_escrow.cli.shell.deeds import until
from milestone_escrow.cli.shell.desk import take_up
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.deeds import ruling
from milestone_escrow.deals.rights import RULE
from milestone_escrow.deals.shares import split
from milestone_escrow.errors import UsageError


@click.command(short_help="Split a disputed milestone as the arbiter.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--to-supplier", metavar="PART", help="60%, 12,000.00, rest.")
@click.option("--to-buyer", metavar="PART", help="40%, 8,000.00, rest.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in a sentence.")
@click.option(
    "--oracle",
    metavar="URL",
    help="The oracle to give the reason to, so that all sides can read it.",
)
@sends
@on_paper
def rule(
    session: Session,
    agreement: str,
    milestone: str,
    to_supplier: str | None,
    to_buyer: str | None,
    reason: str,
    oracle: str | None,
    paper: Paper,
) -> None:
    """Decide a dispute as the arbiter: who gets how much of what is held. Final.

    What neither side gets stays with the milestone, which then waits for proof as before.
    The reason is not sent, only its hash: tell it to both sides, or let an oracle do that.

    \b
    Examples:
      escrow rule PO-2027-0114 packed --to-supplier 90% --to-buyer rest --reason "Two are wet"
      escrow rule PO-2027-0114 packed --to-supplier all --reason "Nothing is wrong"
    """
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say in a sentence why")
    require_sent(paper, oracle)
    desk, standing = take_up(session, agreement, milestone, RULE)
    result = split(standing, to_supplier, to_buyer)
    deed = ruling(standing, result, reason, until(standing, paper))
    do_and_give(desk, "rule", deed, reason, paper, oracle)
