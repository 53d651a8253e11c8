"""Limits tried out on what has happened and on what waits. Signs nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.policies.limits import Limits, ReleasedMoney, allowed
from milestone_escrow.oracle.policies.past import acceptances
from milestone_escrow.oracle.policies.would_sign import SignedLately, is_decidable, judge
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView


@dataclass(frozen=True, slots=True)
class Trial:
    """One release, and why it would be refused; `waits` where it was not signed yet."""

    release: ReleasedMoney
    view: AgreementView | None
    refusals: tuple[str, ...]
    waits: bool

    @property
    def milestone(self) -> str:
        return self.view.find(self.release.milestone).key if self.view else "?"

    @property
    def amount(self) -> str:
        """For people, where the agreement's document is known; else token units."""
        if self.view is None or self.view.agreement is None:
            return str(self.release.amount)
        return self.view.agreement.amount(self.release.amount)


def trials(connection: Connection, limits: Limits, now: int) -> list[Trial]:
    """History first, then what waits; what would be signed counts against what comes after it."""
    past = list(_history(connection, limits))
    return [*past, *_waiting(connection, limits, now, {_place(trial.release) for trial in past})]


def _history(connection: Connection, limits: Limits) -> Iterator[Trial]:
    """Every milestone that was ever accepted, as if the limits had held then."""
    found = acceptances(connection)
    ids = sorted({one.release.agreement_id for one in found})
    views = {view.id: view for view in viewing.agreements(connection, ids)}
    before: list[ReleasedMoney] = []
    for one in found:
        release = one.release
        refusals = allowed(limits, release, before, release.at)
        if not refusals:
            before.append(release)
        yield Trial(release, views.get(release.agreement_id), refusals, waits=False)


def _waiting(
    connection: Connection, limits: Limits, now: int, signed: set[tuple[bytes, int]]
) -> Iterator[Trial]:
    """Milestones whose requirements are met, and that nobody has decided yet."""
    v = t.verdicts
    met = connection.execute(select(v.c.agreement_id, v.c.milestone).where(v.c.met))
    places = {(row.agreement_id, row.milestone) for row in met} - signed
    lately = SignedLately(connection, now)
    for view in viewing.agreements(connection, sorted({place[0] for place in places})):
        for stage in view.views:
            if (view.id, stage.index) not in places or stage.planned is None:
                continue
            if not is_decidable(stage, now):
                continue
            decision = judge(connection, view, stage, stage.planned, limits, lately)
            release = lately.release(view, stage)
            if decision.finding.is_met:
                if decision.accepts:
                    lately.add(release)
                yield Trial(release, view, decision.refusals, waits=True)


def _place(release: ReleasedMoney) -> tuple[bytes, int]:
    return release.agreement_id, release.milestone
