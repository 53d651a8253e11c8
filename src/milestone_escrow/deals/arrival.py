"""Whether what a verb pays out will arrive: payouts are simulated before anybody agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from milestone_escrow.deals.table import Table
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split, fee
from milestone_escrow.words.names import Names
from milestone_escrow.words.standing import Standing
from milestone_escrow.words.undelivered import will_not_arrive

Payout: TypeAlias = tuple[Address, int]
"""Who is paid, and how many token units."""


def pays(standing: Standing, split: Split) -> Iterator[Payout]:
    """What a split of a milestone pays, the fee by itself."""
    terms, charge = standing.terms, fee(standing.terms, split.to_payee)
    yield standing.payee, split.to_payee - charge
    yield terms.fee_recipient, charge
    yield terms.buyer, split.to_buyer


def attestation_pays(standing: Standing, attestation: Attestation) -> Iterator[Payout]:
    """What an attestation pays when it is sent: nothing while it may be objected to."""
    if attestation.verdict is Verdict.ACCEPTED and not standing.terms.objection_period:
        yield from pays(standing, Split(attestation.amount - standing.state.paid, 0))


def undeliverable(table: Table, payouts: Iterable[Payout]) -> list[str]:
    """One sentence for each account that would not receive what is paid to it now."""
    names, token = Names.of(table.bound), table.bound.token
    owed = Counter[Address]()
    for account, units in payouts:
        owed[account] += units
    found = []
    for account, units in owed.items():
        if units:
            reason = table.escrow.push_refusal(token, account, units)
            if reason is not None:
                found.append(will_not_arrive(names, account, units, reason))
    return found
