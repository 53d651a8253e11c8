"""Where an agreement stands: brownie run scripts/status.py main AGREEMENT --network NAME"""

from __future__ import annotations

from milestone_escrow.cli.shell.output import table
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.when import format_time
from milestone_escrow.words.standing import Standing, amount, possible, silence_words, status
from scripts.here import contract, find, told


@told
def main(agreement: str) -> tuple[Standing, ...]:
    """Print each milestone, what time alone would do, and who may do what now."""
    escrow = contract()
    signed = find(agreement, escrow)
    deal = signed.agreement
    print(f"{deal.reference}  {deal.title}")
    print(f"on {escrow.network.title}, contract {escrow.contract}, id 0x{signed.id.hex()}")
    if not escrow.is_open(signed.id):
        missing = [role for role in ("buyer", "supplier") if role not in signed.signatures]
        print(
            f"Not open. {'Not signed by ' + ' and '.join(missing) if missing else 'Both signed'}."
        )
        return ()
    standings = Table(signed, escrow).standings()
    print(f"It is {format_time(standings[0].now, deal.timezone)} there.\n")
    rows = [(s.key, amount(s, s.milestone.amount), status(s), silence_words(s)) for s in standings]
    print(table(rows, ("milestone", "amount", "status", "if nobody acts"), right=(1,)))
    held = escrow.status(signed).held
    print(f"\nHeld by the contract for it: {deal.amount(held)}\n")
    for standing in standings:
        if standing.state.status.holds:
            print(f"{standing.key}: {possible(standing)}")
    return standings
