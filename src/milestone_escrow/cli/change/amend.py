"""`escrow amend` and `escrow extend`: change orders, which both sides sign."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import reads, sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import UsageError


@click.command(short_help="Change an open agreement: both sides sign, the money moves over.")
@click.argument("names", nargs=-1, metavar="AGREEMENT NEW | CHANGE")
@click.option("--fund", metavar="KEY,KEY", help="Pay these new or unfunded milestones in with it.")
@click.option(
    "--with",
    "way",
    type=click.Choice(["allowance", "permit"]),
    help="How the sender pays what is missing; the best that token and wallet know otherwise.",
)
@sends
@on_paper
def amend(
    session: Session, names: tuple[str, ...], fund: str | None, way: str | None, paper: Paper
) -> None:
    """Change an open agreement. NEW is its file with the changes made, CHANGE what somebody has
    signed already. Before anyone signs, it shows what differs, in words, and where the money goes.

    The first signature writes NEW.change.json, which you send to the other side; they sign it with
    `escrow amend NEW.change.json`. Whoever signs last sends it, unless more money is needed, which
    the buyer brings. A milestone whose payout was sold needs its owner's signature, too.

    Money moves over, verdicts and sales do not: what is submitted, decided, disputed or sold stays
    with the old version, unless the change is about it. The reference then means the new version.

    \b
    Examples:
      escrow amend PO-2027-0114 agreement.yaml --as buyer
      escrow amend agreement.change.json --as supplier
      escrow amend PO-2027-0114 agreement.yaml --dry-run
    """
    from milestone_escrow.cli.change import amending

    if len(names) == 2:
        amending.start(session, names[0], Path(names[1]), fund, way, paper)
    elif len(names) == 1:
        if fund:
            raise UsageError("a change order says itself what it funds", hint="leave --fund out")
        amending.go_on(session, names[0], way, paper)
    else:
        raise UsageError(
            "this needs an agreement and its changed file",
            hint="as in `escrow amend PO-2027-0114 agreement.yaml`",
        )


@click.command(short_help="Write the change order that moves one date.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--to", "date", required=True, metavar="DATE", help="The new date: 2027-05-15.")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the change order goes; MILESTONE.change.json otherwise.",
)
@click.option(
    "--valid-for", metavar="TIME", default="30 days", show_default=True, help="How long it counts."
)
@reads
def extend(
    session: Session,
    agreement: str,
    milestone: str,
    date: str,
    output: Path | None,
    valid_for: str,
) -> None:
    """Write the change order that gives one milestone a later date, for both sides to sign.

    Nothing is signed or sent. The date on which silence decides moves along.

    \b
    Examples:
      escrow extend PO-2027-0114 departed --to 2027-04-24
      escrow amend departed.change.json --as buyer
    """
    from milestone_escrow.cli.change import amending

    paper = Paper(output or Path(f"{milestone}.change.json"), valid_for)
    amending.extend_date(session, agreement, milestone, date, paper)
