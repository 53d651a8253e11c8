"""What came of a verb, once it is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from milestone_escrow.deals.table import Table
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.names import Names
from milestone_escrow.words.undelivered import did_not_arrive, withdraw_line

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.events import MilestonePaid
    from milestone_escrow.chain.send.transactions import Receipt


def payouts(table: Table, receipts: Sequence[Receipt]) -> list[str]:
    """One line for every movement of money in these transactions, as it went: what could not be
    delivered was not paid."""
    from milestone_escrow.chain.contract.events import MilestonePaid
    from milestone_escrow.chain.contract.replay import undelivered

    events = [event for receipt in receipts for event in receipt.events]
    waits = Counter[tuple[int | None, Address]]()
    for one in undelivered(table.bound, events):
        waits[one.milestone, one.account] += one.units
    lines: list[str] = []
    for event in events:
        if isinstance(event, MilestonePaid) and event.agreement_id == table.bound.id:
            lines += _paid(table, event, waits)
    return [*lines, *lost(table, receipts)]


def lost(table: Table, receipts: Sequence[Receipt]) -> list[str]:
    """One line for each account that could not receive what these transactions paid to it."""
    from milestone_escrow.chain.contract.replay import undelivered

    names, waits = Names.of(table.bound), Counter[Address]()
    for one in undelivered(table.bound, [event for each in receipts for event in each.events]):
        waits[one.account] += one.units
    return [
        f"{did_not_arrive(names, account, units)}; it waits for "
        f"`{withdraw_line(table.name, names, account)}`."
        for account, units in waits.items()
    ]


def _paid(
    table: Table, event: MilestonePaid, waits: Mapping[tuple[int | None, Address], int]
) -> Iterator[str]:
    terms, amount = table.bound.terms, table.amount

    def arrived(account: Address, units: int) -> int:
        return units if not waits.get((event.milestone, account)) else 0

    paid, fee = arrived(event.payee, event.to_payee), arrived(terms.fee_recipient, event.fee)
    back = arrived(terms.buyer, event.to_buyer)
    if paid:
        less = f" (and {amount(fee)} fee)" if fee else ""
        yield f"Paid {amount(paid)} to {table.person(event.payee)}{less}."
    elif fee:
        yield f"Paid {amount(fee)} fee to {table.person(terms.fee_recipient)}."
    if back:
        yield f"Gave {amount(back)} back to {table.person(terms.buyer)}."
