"""`escrow submit`: the payee states that a milestone is done, which starts a clock."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.deeds import do, until
from milestone_escrow.cli.shell.desk import take_up
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.deeds import submission
from milestone_escrow.deals.rights import SUBMIT
from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.documents.manifest import manifest


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
    desk, standing = take_up(session, agreement, milestone, SUBMIT)
    words = words_of(manifest(evidence) if evidence else None)
    deed = submission(standing, words_hash(words), words, until(standing, paper))
    do(desk, "submit", [deed], paper)
