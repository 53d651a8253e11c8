"""`escrow submit` and `escrow dispute`: both only start a clock."""

from __future__ import annotations

import click

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.options import sends


@click.command(short_help="State that a milestone is done.")
@click.argument("agreement")
@click.argument("milestone")
@click.option(
    "--evidence", multiple=True, metavar="FILE", help="A file or folder; may be repeated."
)
@sends
def submit(session: Session, agreement: str, milestone: str, evidence: tuple[str, ...]) -> None:
    """State, as the payee, that a milestone is done. That starts the review period: if the buyer
    does not object in it, the milestone is paid.

    The evidence is not sent; its hash is, and you show the files to the buyer.

    \b
    Examples:
      escrow submit WEB-77 backend --evidence release-notes.pdf
      escrow submit WEB-77 backend --as supplier --yes
    """
    from milestone_escrow.cli.reviewing import submit_milestone

    submit_milestone(session, agreement, milestone, evidence)


@click.command(short_help="Object to what is about to happen.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--reason", required=True, metavar="TEXT", help="What is wrong, in a sentence.")
@sends
def dispute(session: Session, agreement: str, milestone: str, reason: str) -> None:
    """Object to what is about to happen to your disadvantage; the arbiter then decides.

    The buyer objects to a submission, a progress payment or an acceptance, the payee to a
    rejection or a looming refund. The reason is not sent, only its hash: tell it to the others.

    \b
    Examples:
      escrow dispute PO-2027-0114 packed --reason "Two cartons are wet"
      escrow dispute PO-2027-0114 packed --reason "Photos prove it" --as supplier
    """
    from milestone_escrow.cli.reviewing import dispute_milestone

    dispute_milestone(session, agreement, milestone, reason)
