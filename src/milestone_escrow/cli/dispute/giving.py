"""Give an oracle the words that only hashes on chain stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milestone_escrow.cli.oracle.asking import find_oracle, patiently, sign_in
from milestone_escrow.cli.shell.deeds import do
from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.output import paragraph, waiting
from milestone_escrow.cli.shell.paper import Paper
from milestone_escrow.deals.deeds import Deed
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.words.standing import Standing

if TYPE_CHECKING:
    from milestone_escrow.oracle.api_client import OracleClient


def require_sent(paper: Paper, oracle: str | None) -> None:
    """An oracle takes a reason once its hash is on chain, which a file may never be.

    Raises:
        UsageError: both an oracle and a file are named.
    """
    if paper.file and oracle:
        raise UsageError(
            "--oracle tells the reason once it is on chain, and --sign-only sends nothing",
            hint="leave one of the two out",
        )


def do_and_give(
    desk: Desk, verb: str, deed: Deed, reason: str, paper: Paper, oracle: str | None
) -> None:
    """Do it; then an oracle that is named is told why, for everybody to read."""
    client = find_oracle(desk.session, desk, oracle) if oracle else None
    if do(desk, verb, [deed], paper) and client:
        _give_reason(desk, client, deed.standing, reason)


def _give_reason(desk: Desk, client: OracleClient, standing: Standing, reason: str) -> None:
    """Hand in a reason; what was sent is sent, so that fails only here."""
    session, about = desk.session, (desk.bound.id, standing.planned.index)
    try:
        sign_in(session, desk, client, desk.signer)
        patiently(lambda: client.give_reason(*about, reason))
    except EscrowError as error:
        session.say(paragraph(f"{waiting('The reason was not handed in')}: {error}"))
        return
    session.say(f"The oracle at {client.origin} has the reason, and shows it to all sides.")
