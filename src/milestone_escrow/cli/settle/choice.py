"""One milestone, or all that hold money: what approving, giving back and settling are about."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.errors import LifecycleError, UsageError
from milestone_escrow.words.standing import Standing

ALL = click.option(
    "--all", "everything", is_flag=True, help="Every milestone that holds money, at once."
)


def require_choice(key: str | None, everything: bool) -> None:
    """A milestone or --all, and not both."""
    if key and everything:
        raise UsageError("a milestone is named and --all is given", hint="keep one of the two")
    if not key and not everything:
        raise UsageError("the milestone is missing", hint="name one by its key, or add --all")


def all_holding(desk: Desk) -> list[Standing]:
    """The milestones in which money waits.

    Raises:
        LifecycleError: there are none.
    """
    holding = [standing for standing in desk.standings() if standing.state.status.holds]
    for before in desk.earlier:
        for standing in before.standings():
            if standing.state.status.holds:
                desk.session.say(
                    f"'{standing.key}' is left out: an earlier version decides it, so name it alone"
                )
    if not holding:
        raise LifecycleError(
            f"no money waits in {desk.bound.agreement.reference}",
            hint="`escrow status` shows what became of it",
        )
    return holding
