"""`escrow approve` and `escrow refund`: who gives up a claim on a milestone needs nobody else."""

from __future__ import annotations

from collections.abc import Callable

import click

from milestone_escrow.cli.settle.choice import ALL, all_holding, require_choice
from milestone_escrow.cli.shell.deeds import do, until
from milestone_escrow.cli.shell.desk import Desk, open_desk, take_up
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.deeds import Deed, approval, giving_back
from milestone_escrow.deals.rights import APPROVE, REFUND, Right
from milestone_escrow.deals.shares import share
from milestone_escrow.errors import UsageError
from milestone_escrow.words.standing import Standing, holders, only

_PART = click.option("--amount", metavar="PART", help="60%, 12,000.00; all that is held otherwise.")


@click.command(short_help="Let the buyer pay a milestone, or a part of it.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@_PART
@ALL
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
    _give(session, agreement, milestone, amount, everything, paper, "approve", APPROVE, approval)


@click.command(short_help="Let the payee give a milestone back.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@_PART
@ALL
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
    _give(session, agreement, milestone, amount, everything, paper, "refund", REFUND, giving_back)


def _give(
    session: Session,
    name: str,
    key: str | None,
    part: str | None,
    everything: bool,
    paper: Paper,
    verb: str,
    right: Right,
    giving: Callable[[Standing, int, int], Deed],
) -> None:
    require_choice(key, everything)
    if everything and part:
        raise UsageError("--all and --amount do not go together", hint="name one milestone")
    if key is not None:
        desk, standing = take_up(session, name, key, right)
        chosen = [standing]
    else:
        desk, chosen = _all_of_giver(session, name, right)
    units = [share(standing, part, standing.held) for standing in chosen]
    deeds = [giving(one, held, until(one, paper)) for one, held in zip(chosen, units, strict=True)]
    do(desk, verb, deeds, paper)


def _all_of_giver(session: Session, name: str, right: Right) -> tuple[Desk, list[Standing]]:
    """Every milestone that holds money and that the signer may give up."""
    desk = open_desk(session, name)
    holding = all_holding(desk)
    owners = {standing.key: holders(standing, right.role)[0] for standing in holding}
    desk = desk.chosen(tuple(dict.fromkeys(owners.values())))
    mine = [standing for standing in holding if owners[standing.key] == desk.account]
    if not mine:
        raise only(holding[0], right.role, right.does, desk.account)
    for standing in holding:
        if standing not in mine:
            owner = desk.person(owners[standing.key])
            session.say(f"'{standing.key}' is left out: it is {owner}'s to give up")
    return desk, mine
