"""What anybody may do: let time decide what is due, and pay out what could not be delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milestone_escrow.deals.action import Action
from milestone_escrow.deals.table import Table
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.standing import Standing, silence_words
from milestone_escrow.words.tasks import silence_split


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
    return Action(
        doing=table.doing("finalize"),
        will=[f"'{s.key}': time is up, {silence_split(s)} now, final" for s in standings],
        prepare=lambda: table.verbs.together(
            [table.verbs.finalize(table.bound, key) for key in keys]
        ),
        facts={"milestones": keys},
    )


def waiting_for(table: Table, role: str | None = None) -> dict[Address, int]:
    """What waits for a person of the agreement, or for everybody whom it ever pays: parties, fee
    account, holders of receivables.

    Raises:
        UsageError: nobody has that role.
        EscrowError: nothing waits.
    """
    agreement, terms = table.bound.agreement, table.bound.terms
    if role is not None and role not in agreement.people:
        raise UsageError(f"'{role}' has no role", hint=f"roles: {', '.join(agreement.people)}")
    accounts = [agreement.people[role]] if role else [terms.buyer, terms.supplier]
    if not role:
        accounts += [standing.payee for standing in table.standings()]
        accounts += [terms.fee_recipient] if terms.fee_bps else []
    waiting = {
        account: units
        for account in dict.fromkeys(accounts)
        if (units := table.escrow.credit(table.bound.token, account))
    }
    if not waiting:
        whom = agreement.name(role) if role else "anybody"
        raise EscrowError(
            f"nothing waits for {whom}",
            hint="payouts arrive by themselves; only one that failed waits here",
        )
    return waiting


def withdrawal(table: Table, waiting: Mapping[Address, int]) -> Action:
    """Everybody's credit to their own account, in one transaction."""
    token = table.bound.token
    return Action(
        doing=table.doing("withdraw"),
        will=[
            f"pays {table.amount(units)} to {table.person(account)}"
            for account, units in waiting.items()
        ],
        prepare=lambda: table.verbs.together(
            [table.verbs.withdraw(token, account) for account in waiting]
        ),
    )
