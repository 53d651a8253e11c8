"""`escrow dispute`: objecting to what is about to happen, and a look at a dispute."""

from __future__ import annotations

import click

from milestone_escrow.cli.dispute.giving import do_and_give, require_sent
from milestone_escrow.cli.shell.deeds import until
from milestone_escrow.cli.shell.desk import take_up
from milestone_escrow.cli.shell.options import sends, signs
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals import deeds
from milestone_escrow.deals.rights import dispute_of
from milestone_escrow.errors import UsageError


class DisputeGroup(click.Group):
    """A group whose first command may be left out: `escrow dispute AGREEMENT MILESTONE`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            args = ["object", *args]
        return super().resolve_command(ctx, args)


@click.group(
    cls=DisputeGroup,
    short_help="Object to what is about to happen, or look at a dispute.",
    # Options of the command that is left out come before it then.
    context_settings={"ignore_unknown_options": True},
)
def dispute() -> None:
    """Object to what is about to happen to your disadvantage, or look at a dispute as its arbiter.

    The word `object` may be left out: `escrow dispute AGREEMENT MILESTONE --reason TEXT`.

    \b
    Examples:
      escrow dispute object PO-2027-0114 packed --reason "Two cartons are wet"
      escrow dispute show PO-2027-0114 packed
    """


@dispute.command("object", short_help="Object to what is about to happen.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--reason", required=True, metavar="TEXT", help="What is wrong, in a sentence.")
@click.option(
    "--oracle",
    metavar="URL",
    help="The oracle to give the reason to, so that all sides can read it.",
)
@sends
@on_paper
def object_(
    session: Session,
    agreement: str,
    milestone: str,
    reason: str,
    oracle: str | None,
    paper: Paper,
) -> None:
    """Object to what is about to happen to your disadvantage; the arbiter then decides.

    The buyer objects to a submission, a progress payment or an acceptance, the payee to a
    rejection or a looming refund. The reason is not sent, only its hash: tell it to the others,
    or let an oracle do that.

    \b
    Examples:
      escrow dispute object PO-2027-0114 packed --reason "Two cartons are wet"
      escrow dispute object PO-2027-0114 packed --reason "Photos prove it" --as supplier
    """
    require_sent(paper, oracle)
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say in a sentence what is wrong")
    desk, standing = take_up(session, agreement, milestone, dispute_of)
    deed = deeds.dispute(standing, reason, until(standing, paper))
    do_and_give(desk, "dispute", deed, reason, paper, oracle)


@dispute.command("show", short_help="Show both sides of a dispute.")
@click.argument("agreement")
@click.argument("milestone")
@click.option(
    "--oracle",
    metavar="URL",
    help="The oracle to ask for evidence; one that runs on this machine is found by itself. "
    "`none`: no oracle.",
)
@signs
def show(session: Session, agreement: str, milestone: str, oracle: str | None) -> None:
    """Show an arbiter, or anybody, what each side has brought forward: who objected and why, what
    verifiers said, the evidence; the time left to rule; and what silence would do.

    Reasons and files are told by their hashes on chain: this machine knows the words of what was
    signed or sent from here, and an oracle those that were given to it.

    \b
    Examples:
      escrow dispute show PO-2027-0114 packed
      escrow dispute show PO-2027-0114 packed --as arbiter --oracle https://oracle.example
    """
    from milestone_escrow.cli.dispute.disputing import show_dispute

    show_dispute(session, agreement, milestone, oracle)
