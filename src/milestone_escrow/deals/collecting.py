"""What anybody may do: let time decide what is due, and pay out what could not be delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import pays, undeliverable
from milestone_escrow.deals.table import Table
from milestone_escrow.errors import ContractError, EscrowError, UsageError
from milestone_escrow.protocol import lifecycle
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.standing import Standing, silence_words
from milestone_escrow.words.tasks import silence_split
from milestone_escrow.words.undelivered import refuses


def due(table: Table) -> list[Standing]:
    """The milestones that time may decide now.

    Raises:
        EscrowError: none; with the next one.
    """
    standings = table.standings()
    found = [standing for standing in standings if standing.is_overdue]
    if not found:
        held = [standing for standing in standings if standing.state.status.holds]
        soonest = min(held, key=lambda standing: standing.end, default=None)
        next_ = f"; the next is '{soonest.key}', which {silence_words(soonest)}" if soonest else ""
        raise EscrowError(f"nothing of {table.bound.agreement.reference} has fallen due{next_}")
    return found


def finalization(table: Table, standings: Sequence[Standing]) -> Action:
    """Time decides these, in one transaction."""
    keys = [standing.key for standing in standings]
    payouts = (
        one
        for s in standings
        for one in pays(s, lifecycle.silence_split(s.terms, s.milestone, s.state))
    )
    return Action(
        doing=table.doing("finalize"),
        will=[
            *(f"'{s.key}': time is up, {silence_split(s)} now, final" for s in standings),
            *undeliverable(table, payouts),
        ],
        prepare=lambda: table.verbs.together(
            [table.verbs.finalize(table.bound, key) for key in keys]
        ),
        facts={"milestones": keys},
    )


def waiting_for(table: Table, account: Address | None = None) -> dict[Address, int]:
    """What waits for an account, or for everybody whom the agreement ever pays.

    Raises:
        EscrowError: nothing waits.
    """
    waiting = table.credits()
    if account is not None:
        units = waiting.get(account) or table.escrow.credit(table.bound.token, account)
        waiting = {account: units} if units else {}
    if not waiting:
        whom = table.person(account) if account else "anybody"
        raise EscrowError(
            f"nothing waits for {whom}",
            hint="payouts arrive by themselves; only one that failed waits here",
        )
    return waiting


@dataclass(frozen=True, slots=True)
class Collected:
    """What is to be paid of what waits for an account, and why it cannot be now; "" where it can.
    `rest` goes on waiting."""

    account: Address
    units: int
    refusal: str = ""
    rest: int = 0


def part_of(table: Table, waiting: Mapping[Address, int], units: int) -> dict[Address, int]:
    """So much of what waits for one account.

    Raises:
        UsageError: it waits for several accounts, or less waits.
    """
    if len(waiting) != 1:
        raise UsageError("an amount is for one account", hint="say whose with --for")
    (account, there), *_ = waiting.items()
    if not 0 < units <= there:
        raise UsageError(
            f"{table.amount(units)} was asked for, {table.amount(there)} wait for "
            f"{table.person(account)}",
            hint="leave the amount out to collect all",
        )
    return {account: units}


def try_each(
    table: Table, waiting: Mapping[Address, int], asked: Mapping[Address, int] | None = None
) -> list[Collected]:
    """Every account's withdrawal by itself, simulated, so that none stands in another's way: what
    was asked for, else all that waits."""
    found = []
    for account, units in (asked or waiting).items():
        rest = waiting[account] - units
        try:
            table.verbs.withdraw(table.bound.token, account, units)
            refusal = ""
        except ContractError as error:
            token = table.bound.token
            reason = table.escrow.push_refusal(token, account, units, withdraws=True)
            refusal = str(error) if reason is None else refuses(reason)
        found.append(Collected(account, units, refusal, rest))
    return found


def withdrawal(table: Table, found: Sequence[Collected]) -> Action:
    """The credit of everybody who can be paid, to their own account, in one transaction."""
    token = table.bound.token
    payable = [one for one in found if not one.refusal]
    return Action(
        doing=table.doing("withdraw"),
        will=[_collects(table, one) for one in found],
        prepare=lambda: table.verbs.together(
            [table.verbs.withdraw(token, one.account, one.units) for one in payable]
        ),
        facts={
            "accounts": [
                {
                    "account": one.account,
                    "who": table.person(one.account),
                    "units": str(one.units),
                    "text": table.amount(one.units),
                    "refusal": one.refusal or None,
                    "rest": str(one.rest),
                }
                for one in found
            ]
        },
    )


def _collects(table: Table, one: Collected) -> str:
    amount, whom = table.amount(one.units), table.person(one.account)
    if one.refusal:
        return f"{whom} cannot receive {amount}: {one.refusal}"
    goes_on = f"; {table.amount(one.rest)} go on waiting" if one.rest else ""
    return f"pays {amount} to {whom}{goes_on}"
