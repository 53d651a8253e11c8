"""`escrow approve`, `refund` and `settle`: what the parties agree on needs nobody else."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.options import sends


@click.command(short_help="Let the buyer pay a milestone, or a part of it.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--amount", metavar="PART", help="60%, 12,000.00; all that is held otherwise.")
@sends
def approve(session: Session, agreement: str, milestone: str, amount: str | None) -> None:
    """Pay a milestone as the buyer, in full or in part. Needs nobody else, and is final.

    A percentage is of what is still held. In the middle of a review or a dispute only all of it
    can be paid.

    \b
    Examples:
      escrow approve PO-2027-0114 packed
      escrow approve PO-2027-0114 packed --amount 60%
    """
    from milestone_escrow.cli.consenting import approve_milestone

    approve_milestone(session, agreement, milestone, amount)


@click.command(short_help="Let the payee give a milestone back.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--amount", metavar="PART", help="60%, 12,000.00; all that is held otherwise.")
@sends
def refund(session: Session, agreement: str, milestone: str, amount: str | None) -> None:
    """Give a milestone's money back as the payee, in full or in part. Needs nobody else, and is
    final.

    \b
    Examples:
      escrow refund PO-2027-0114 arrived
      escrow refund PO-2027-0114 arrived --amount 6,000.00
    """
    from milestone_escrow.cli.consenting import refund_milestone

    refund_milestone(session, agreement, milestone, amount)


@click.command(short_help="Split a milestone by agreement of both sides.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--to-supplier", metavar="PART", help="60%, 12,000.00, rest.")
@click.option("--to-buyer", metavar="PART", help="40%, 8,000.00, rest.")
@click.option(
    "--sign-only",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write your consent to FILE and send nothing.",
)
@click.option(
    "--with", "partner", metavar="FILE|NAME", help="The other side's consent: a file, or a key."
)
@click.option(
    "--valid-for", metavar="TIME", default="30 days", help="How long consent may be used."
)
@sends
def settle(
    session: Session,
    agreement: str,
    milestone: str,
    to_supplier: str | None,
    to_buyer: str | None,
    sign_only: Path | None,
    partner: str | None,
    valid_for: str,
) -> None:
    """Split what is held between both sides, by agreement of both. Final.

    One side writes its consent to a file, the other sends it with its own. Whoever gives up
    nothing need not consent. Percentages are of what is still held.

    \b
    Examples:
      escrow settle PO-2027-0114 packed --to-supplier 70% --to-buyer rest \\
          --sign-only consent.json --as supplier
      escrow settle PO-2027-0114 packed --with consent.json --as buyer
      escrow settle PO-2027-0114 packed --to-supplier 70% --to-buyer rest \\
          --as buyer --with supplier
    """
    from milestone_escrow.cli import consenting

    wish = consenting.Wish(to_supplier, to_buyer, partner, valid_for)
    if sign_only:
        consenting.consent_to_file(session, agreement, milestone, wish, sign_only)
    else:
        consenting.settle_milestone(session, agreement, milestone, wish)
