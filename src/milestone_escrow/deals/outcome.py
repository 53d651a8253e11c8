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
    names = Names.of(table.bound)
    for account in dict.fromkeys(account for _, account in waits):
        units = sum(n for (_, whose), n in waits.items() if whose == account)
        line = withdraw_line(table.name, names, account)
        lines.append(f"{did_not_arrive(names, account, units)}; it waits for `{line}`.")
    return lines


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
