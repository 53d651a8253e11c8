"""What the oracle has signed before, as the limits count it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from milestone_escrow.oracle.policies.limits import DAY, ReleasedMoney
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address


def releases(connection: Connection, now: int, *, since: int | None = None) -> list[ReleasedMoney]:
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
    found: dict[tuple[bytes, int], ReleasedMoney] = {}
    for row in rows:
        place = (row.agreement_id, row.milestone)
        payee = row.supplier if row.assignee == ZERO_ADDRESS else row.assignee
        before = found.get(place)
        amount = max(row.amount, before.amount if before else 0)
        found[place] = ReleasedMoney(*place, contract, row.token, payee, amount, row.decided_at)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A milestone that was accepted once; `ours` is whether this store's key signed it."""

    release: ReleasedMoney
    ours: bool


def acceptances(connection: Connection) -> list[Acceptance]:
    """Every milestone that was ever accepted, on chain or by this store's keys, in order; with the
    first moment, and for whoever is its payee today."""
    d, e, a, m = t.decisions, t.events, t.agreements, t.milestones
    signed = connection.execute(
        select(d.c.agreement_id, d.c.milestone, d.c.amount, d.c.decided_at)
        .where(d.c.verdict == Verdict.ACCEPTED.value)
        .order_by(d.c.decided_at, d.c.id)
    )
    seen = connection.execute(
        select(e.c.agreement_id, e.c.milestone, e.c.data, e.c.time)
        .where(e.c.name == "MilestoneAttested")
        .order_by(e.c.block, e.c.log_index)
    )
    moments: dict[tuple[bytes, int], tuple[int, int, bool]] = {}
    for row in signed:
        moments.setdefault((row.agreement_id, row.milestone), (row.decided_at, row.amount, True))
    for row in seen:
        if int(row.data["verdict"]) == Verdict.ACCEPTED.value:
            place, amount = (row.agreement_id, row.milestone), int(row.data["amount"])
            moments.setdefault(place, (row.time, amount, False))
    payees = {
        (row.agreement_id, row.milestone): row
        for row in connection.execute(
            select(a.c.agreement_id, m.c.milestone, a.c.token, a.c.supplier, m.c.assignee).join(
                m, m.c.agreement_id == a.c.agreement_id
            )
        )
        if (row.agreement_id, row.milestone) in moments
    }
    contract = contract_of(connection)
    found: list[Acceptance] = []
    for place, (at, amount, ours) in moments.items():
        if known := payees.get(place):
            payee = known.supplier if known.assignee == ZERO_ADDRESS else known.assignee
            release = ReleasedMoney(*place, contract, known.token, payee, amount, at)
            found.append(Acceptance(release, ours))
    return sorted(found, key=lambda one: one.release.at)


def contract_of(connection: Connection) -> Address:
    """The contract that the store belongs to; "" as long as it belongs to none."""
    query = select(t.meta.c.value).where(t.meta.c.key == "contract")
    return connection.execute(query).scalar() or ""
