"""`escrow open` and `escrow fund`: the buyer's money goes into the contract."""

from __future__ import annotations

import click

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.options import sends


@click.command("open", short_help="Open a signed agreement, and fund milestones.")
@click.argument("agreement")
@click.option(
    "--fund",
    metavar="all|next|KEY,KEY",
    help="Pay these milestones in at once; otherwise nothing is paid yet.",
)
@sends
def open_(session: Session, agreement: str, fund: str | None) -> None:
    """Open an agreement that both parties have signed, and fund milestones.

    From then on its terms cannot change. Opening moves no money; --fund does, from the wallet of
    whoever opens, usually the buyer.

    \b
    Examples:
      escrow open agreement.yaml --fund next
      escrow open PO-2027-0114 --fund deposit,manufactured
      escrow open 0x4f1a --fund all --dry-run
    """
    from milestone_escrow.cli.funding import open_agreement

    open_agreement(session, agreement, fund)


@click.command(short_help="Pay milestones into the contract.")
@click.argument("agreement")
@click.argument("milestones", nargs=-1, metavar="[MILESTONE]...")
@click.option("--all", "everything", is_flag=True, help="Every milestone that is not funded.")
@sends
def fund(session: Session, agreement: str, milestones: tuple[str, ...], everything: bool) -> None:
    """Pay milestones into the contract; without names, the next one that is not funded.

    The money waits there until the milestone is decided; a deposit goes on to the supplier at
    once. Where the token does not yet allow the contract to take the amount, that is allowed
    first, exactly that amount.

    \b
    Examples:
      escrow fund PO-2027-0114
      escrow fund PO-2027-0114 manufactured packed
      escrow fund PO-2027-0114 --all --yes
    """
    from milestone_escrow.cli.funding import fund_milestones

    fund_milestones(session, agreement, milestones, everything)
