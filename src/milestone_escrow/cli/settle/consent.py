"""`escrow approve`, `refund` and `settle`: what the parties agree on needs nobody else."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session

_PART = click.option("--amount", metavar="PART", help="60%, 12,000.00; all that is held otherwise.")
_ALL = click.option(
    "--all", "everything", is_flag=True, help="Every milestone that holds money, at once."
)


@click.command(short_help="Let the buyer pay a milestone, or a part of it.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@_PART
@_ALL
@sends
@on_paper
def approve(
    session: Session,
    agreement: str,
    milestone: str | None,
    amount: str | None,
    everything: bool,
    paper: Paper,
) -> None:
    """Pay a milestone as the buyer, in full or in part. Needs nobody else, and is final.

    A percentage is of what is still held. In the middle of a review or a dispute only all of it
    can be paid. --all pays everything that is held, in one transaction.

    \b
    Examples:
      escrow approve PO-2027-0114 packed
      escrow approve PO-2027-0114 packed --amount 60%
      escrow approve PO-2027-0114 --all
      escrow approve PO-2027-0114 packed --sign-only paid.json
    """
    from milestone_escrow.cli.settle import consenting

    consenting.approve(session, agreement, milestone, amount, everything, paper)


@click.command(short_help="Let the payee give a milestone back.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@_PART
@_ALL
@sends
@on_paper
def refund(
    session: Session,
    agreement: str,
    milestone: str | None,
    amount: str | None,
    everything: bool,
    paper: Paper,
) -> None:
    """Give a milestone's money back as the payee, in full or in part. Needs nobody else, and is
    final. --all gives everything back that is held, in one transaction.

    \b
    Examples:
      escrow refund PO-2027-0114 arrived
      escrow refund PO-2027-0114 arrived --amount 6,000.00
      escrow refund PO-2027-0114 --all
    """
    from milestone_escrow.cli.settle import consenting

    consenting.refund(session, agreement, milestone, amount, everything, paper)


@click.command(short_help="Split a milestone by agreement of both sides.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@click.option("--to-supplier", metavar="PART", help="60%, 12,000.00, rest.")
@click.option("--to-buyer", metavar="PART", help="40%, 8,000.00, rest.")
@click.option(
    "--with", "partner", metavar="FILE|NAME", help="The other side's consent: a file, or a key."
)
@_ALL
@sends
@on_paper
def settle(
    session: Session,
    agreement: str,
    milestone: str | None,
    to_supplier: str | None,
    to_buyer: str | None,
    partner: str | None,
    everything: bool,
    paper: Paper,
) -> None:
    """Split what is held between both sides, by agreement of both. Final.

    One side writes its consent to a file, the other sends it with its own. Whoever gives up
    nothing need not consent. Percentages are of what is still held.

    --all ends the deal: every milestone that holds money is split that way, in one transaction.

    \b
    Examples:
      escrow settle PO-2027-0114 packed --to-supplier 70% --to-buyer rest \\
          --sign-only consent.json --as supplier
      escrow settle PO-2027-0114 packed --with consent.json --as buyer
      escrow settle PO-2027-0114 packed --to-supplier 70% --to-buyer rest \\
          --as buyer --with supplier
      escrow settle PO-2027-0114 --all --to-supplier 20% --to-buyer rest \\
          --as buyer --with supplier
    """
    from milestone_escrow.cli.settle import consenting

    wish = consenting.Wish(to_supplier, to_buyer, partner)
    consenting.settle(session, agreement, milestone, everything, wish, paper)
