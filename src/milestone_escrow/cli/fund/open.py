"""`escrow open`: both sides are bound, and the buyer's money goes into the contract."""

from __future__ import annotations

import click

from milestone_escrow.cli.agreement.signing import require_no_change_order
from milestone_escrow.cli.fund.plan import WITH, plan_payment
from milestone_escrow.cli.shell.desk import look
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.funding import chosen_milestones, opening, require_consents
from milestone_escrow.errors import EscrowError, UsageError


@click.command("open", short_help="Open a signed agreement, and fund milestones.")
@click.argument("agreement")
@click.option(
    "--fund",
    metavar="all|next|KEY,KEY",
    help="Pay these milestones in at once; otherwise nothing is paid yet.",
)
@WITH
@sends
def open_(session: Session, agreement: str, fund: str | None, way: str | None) -> None:
    """Open an agreement that both parties have signed, and fund milestones.

    From then on its terms cannot change. Opening moves no money; --fund does, from the wallet of
    whoever opens, usually the buyer. --with is explained by `escrow fund --help`.

    \b
    Examples:
      escrow open agreement.yaml --fund next
      escrow open PO-2027-0114 --fund deposit,manufactured
      escrow open 0x4f1a --fund all --dry-run
    """
    desk = look(session, agreement)
    is_open = desk.escrow.is_open(desk.bound.id)
    if is_open and not fund:
        raise EscrowError(
            f"{desk.bound.agreement.reference} is open already",
            hint=f"pay milestones in with `escrow fund {desk.name}`",
        )
    if not is_open:
        require_no_change_order(desk.signed, agreement)
    if way and not fund:
        raise UsageError("--with says how to pay, and nothing is paid", hint="add --fund next")
    chosen = chosen_milestones(desk.standings(), fund.split(",")) if fund else []
    terms = desk.bound.terms
    desk = desk.chosen((terms.buyer, terms.supplier), any_will_do=True)
    if not is_open:
        line = f"escrow agreement sign {desk.name} --as {{role}}"
        hint = f"they sign with `{line}`, or send you their .signed.json file"
        require_consents(desk, hint)
    plan = plan_payment(desk, chosen, way) if chosen else None
    action = opening(desk, plan, is_open=is_open)
    keys = [standing.key for standing in chosen]
    run(desk, action, keys, lambda: session.shelf.put(desk.signed))
