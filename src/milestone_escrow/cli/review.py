"""`escrow submit` and `escrow dispute`: both only start a clock."""

from __future__ import annotations

import click

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.options import sends
from milestone_escrow.cli.papers import Paper, on_paper


@click.command(short_help="State that a milestone is done.")
@click.argument("agreement")
@click.argument("milestone")
@click.option(
    "--evidence", multiple=True, metavar="FILE", help="A file or folder; may be repeated."
)
@sends
@on_paper
def submit(
    session: Session, agreement: str, milestone: str, evidence: tuple[str, ...], paper: Paper
) -> None:
    """State, as the payee, that a milestone is done. That starts the review period: if the buyer
    does not object in it, the milestone is paid.

    The evidence is not sent; its hash is, and you show the files to the buyer.

    \b
    Examples:
      escrow submit WEB-77 backend --evidence release-notes.pdf
      escrow submit WEB-77 backend --as supplier --yes
      escrow submit WEB-77 backend --sign-only claim.json     somebody else pays for gas
    """
    from milestone_escrow.cli.reviewing import submit_milestone

    submit_milestone(session, agreement, milestone, evidence, paper)


@click.command(short_help="Object to what is about to happen.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--reason", required=True, metavar="TEXT", help="What is wrong, in a sentence.")
@sends
@on_paper
def dispute(session: Session, agreement: str, milestone: str, reason: str, paper: Paper) -> None:
    """Object to what is about to happen to your disadvantage; the arbiter then decides.

    The buyer objects to a submission, a progress payment or an acceptance, the payee to a
    rejection or a looming refund. The reason is not sent, only its hash: tell it to the others.

    \b
    Examples:
      escrow dispute PO-2027-0114 packed --reason "Two cartons are wet"
      escrow dispute PO-2027-0114 packed --reason "Photos prove it" --as supplier
    """
    from milestone_escrow.cli.reviewing import dispute_milestone

    dispute_milestone(session, agreement, milestone, reason, paper)
