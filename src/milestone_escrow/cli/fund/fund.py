"""`escrow fund`: the buyer's money goes into the contract."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.fund.authorized import sign_payment, submit_payment
from milestone_escrow.cli.fund.linking import show_links
from milestone_escrow.cli.fund.plan import WITH, plan_payment
from milestone_escrow.cli.shell.desk import open_desk
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.funding import chosen_milestones, paying_in
from milestone_escrow.errors import UsageError


@click.command(short_help="Pay milestones into the contract.")
@click.argument("names", nargs=-1, metavar="AGREEMENT [MILESTONE]...")
@click.option("--all", "everything", is_flag=True, help="Every milestone that is not funded.")
@WITH
@click.option(
    "--submit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Send what the buyer signed with --sign-only; you only bring the gas.",
)
@click.option(
    "--link", is_flag=True, help="Show links and codes for a wallet on a phone; send nothing."
)
@click.option(
    "--page",
    metavar="URL",
    help="With --link: where the agreement's page is, as https://escrow.example.",
)
@click.option(
    "--png",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --link: write the codes as images.",
)
@sends
@on_paper
def fund(
    session: Session,
    names: tuple[str, ...],
    everything: bool,
    way: str | None,
    submit: Path | None,
    link: bool,
    page: str | None,
    png: Path | None,
    paper: Paper,
) -> None:
    """Pay milestones into the contract; without names, the next one that is not funded.

    The money waits there until the milestone is decided; a deposit goes on to the supplier at
    once. There are three ways to pay, all of exactly the amount:

    \b
      permit         signed and used in one transaction; the best where the token knows it
      allowance      a transaction before, which allows the contract to take the amount
      authorization  signed by the buyer, who needs no coin for gas; anyone sends it

    A wallet on a phone scans what --link shows: the allowance as an EIP-681 link, and the page
    where it then pays in, because no link can carry an agreement's terms.

    \b
    Examples:
      escrow fund PO-2027-0114
      escrow fund PO-2027-0114 manufactured packed
      escrow fund PO-2027-0114 --all --yes
      escrow fund PO-2027-0114 packed --with authorization --sign-only pay.json
      escrow fund --submit pay.json --as mykey
      escrow fund PO-2027-0114 packed --unsigned
      escrow fund PO-2027-0114 packed --link --page https://escrow.example
    """
    if (page or png) and not link:
        raise UsageError("--page and --png belong to --link", hint="add --link")
    if submit:
        if names or everything or way or paper.file:
            raise UsageError("--submit sends what is signed", hint="name only the file")
        submit_payment(session, submit)
    elif not names:
        raise UsageError("the agreement is missing", hint="as in `escrow fund PO-2027-0114`")
    elif link:
        if way or paper.file or session.unsigned:
            raise UsageError("--link shows links, and nothing else", hint="name only milestones")
        show_links(session, names[0], names[1:], everything, page, png)
    elif paper.file and way not in (None, "authorization"):
        raise UsageError(
            f"whoever pays by {way} sends it, too; only an authorization is signed to a file",
            hint="use --with authorization, or leave --sign-only out",
        )
    else:
        desk = open_desk(session, names[0])
        chosen = chosen_milestones(desk.standings(), names[1:], everything=everything)
        desk = desk.chosen((desk.bound.terms.buyer,))
        if paper.file:
            sign_payment(desk, chosen, paper)
            return
        plan = plan_payment(desk, chosen, way)
        run(desk, paying_in(desk, plan), plan.keys)
