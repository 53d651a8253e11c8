"""`escrow withdraw`: what could not be delivered."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.desk import Desk, open_desk
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.output import bad, bold, paragraph
from milestone_escrow.cli.shell.sending import body, carry_out
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import account_named
from milestone_escrow.deals.collecting import part_of, try_each, waiting_for, withdrawal
from milestone_escrow.documents.money import parse_amount
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.undelivered import FEE


@click.command(short_help="Collect a payout that could not be delivered.")
@click.argument("agreement")
@click.option(
    "--for", "name", metavar="NAME", help="Whose: a role, fee, a key here, 0x…; all otherwise."
)
@click.option("--amount", metavar="AMOUNT", help="Only so much of it; all that waits otherwise.")
@sends
def withdraw(session: Session, agreement: str, name: str | None, amount: str | None) -> None:
    """Collect a payout that could not be delivered, for example because the token's issuer had
    blocked the account. It goes to that account only, whoever sends this.

    Everybody for whom something waits is tried: who cannot be paid yet is named, keeps the money
    waiting, and stands in nobody's way; then it ends with 1.

    \b
    Examples:
      escrow withdraw PO-2027-0114
      escrow withdraw PO-2027-0114 --for supplier
      escrow withdraw PO-2027-0114 --for fee
      escrow withdraw PO-2027-0114 --for supplier --amount 1,000.00
    """
    desk = open_desk(session, agreement)
    waiting = waiting_for(desk, _account(desk, name) if name else None)
    asked = part_of(desk, waiting, parse_amount(amount, desk.bound.token)) if amount else None
    desk = desk.chosen()
    found = try_each(desk, waiting, asked)
    refused = [one for one in found if one.refusal]
    action = withdrawal(desk, found)
    session.exit_status = 1 if refused else 0
    if len(refused) == len(found):
        session.say(bold(action.doing))
        for line in action.will:
            session.say(paragraph(line, "  "))
        session.say(f"\n{bad('Nothing was sent')}: it goes on waiting; try again later.")
        session.emit(body(desk, action, ()))
        return
    receipts = carry_out(desk, action)
    if receipts:
        for one in found:
            units, who = desk.amount(one.units), desk.person(one.account)
            if not one.refusal:
                session.say(f"Paid {units} to {who}.")
            waits = one.rest + (one.units if one.refusal else 0)
            if waits:
                session.say(f"Still waiting: {desk.amount(waits)} for {who}.")
        session.emit(body(desk, action, receipts))


def _account(desk: Desk, name: str) -> Address:
    terms = desk.bound.terms
    if name != FEE or FEE in desk.bound.agreement.people:
        return account_named(desk.session, desk.bound, desk.network, name)
    if not terms.fee_bps:
        raise UsageError(
            f"{desk.bound.agreement.reference} has no fee", hint="leave --for out to collect all"
        )
    return terms.fee_recipient
