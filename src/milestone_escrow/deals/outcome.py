"""What came of a verb, once it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from milestone_escrow.deals.table import Table

if TYPE_CHECKING:
    from milestone_escrow.chain.send.transactions import Receipt


def payouts(table: Table, receipts: Sequence[Receipt]) -> list[str]:
    """One line for every movement of money in these transactions."""
    from milestone_escrow.chain.contract.events import MilestonePaid, PayoutCredited

    agreement = table.bound.agreement
    lines = []
    for event in (event for receipt in receipts for event in receipt.events):
        if isinstance(event, MilestonePaid):
            if event.to_payee:
                fee = f" (and {agreement.amount(event.fee)} fee)" if event.fee else ""
                paid = agreement.amount(event.to_payee)
                lines.append(f"Paid {paid} to {table.person(event.payee)}{fee}.")
            if event.to_buyer:
                back = agreement.amount(event.to_buyer)
                lines.append(f"Gave {back} back to {table.person(table.bound.terms.buyer)}.")
        elif isinstance(event, PayoutCredited):
            name = table.person(event.account)
            lines.append(
                f"{name} could not receive {agreement.amount(event.amount)}; it waits for "
                f"`escrow withdraw {table.name}`."
            )
    return lines
