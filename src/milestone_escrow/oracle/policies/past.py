"""What the oracle has signed before, as the limits count it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from milestone_escrow.oracle.policies.limits import DAY, Release
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address


def releases(connection: Connection, now: int, *, since: int | None = None) -> list[Release]:
    """The acceptances signed by this store's keys since then, by default in the last 24 hours.

    Each milestone counts once, with all that was certified, and for whoever is its payee today:
    rather too much than too little.
    """
    start = now - DAY if since is None else since
    d, a, m = t.decisions, t.agreements, t.milestones
    rows = connection.execute(
        select(
            d.c.agreement_id, d.c.milestone, d.c.amount, d.c.decided_at,
            a.c.token, a.c.supplier, m.c.assignee,
        )
        .join(a, a.c.agreement_id == d.c.agreement_id)
        .join(m, (m.c.agreement_id == d.c.agreement_id) & (m.c.milestone == d.c.milestone))
        .where(d.c.verdict == Verdict.ACCEPTED.value, d.c.decided_at > start)
        .order_by(d.c.decided_at, d.c.id)
    )  # fmt: skip
    contract = contract_of(connection)
    found: dict[tuple[bytes, int], Release] = {}
    for row in rows:
        place = (row.agreement_id, row.milestone)
        payee = row.supplier if row.assignee == ZERO_ADDRESS else row.assignee
        before = found.get(place)
        amount = max(row.amount, before.amount if before else 0)
        found[place] = Release(*place, contract, row.token, payee, amount, row.decided_at)
    return list(found.values())


def contract_of(connection: Connection) -> Address:
    """The contract that the store belongs to; "" as long as it belongs to none."""
    query = select(t.meta.c.value).where(t.meta.c.key == "contract")
    return connection.execute(query).scalar() or ""
