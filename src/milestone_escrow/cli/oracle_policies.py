"""What `escrow oracle policy test` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.oracle_home import existing_store
from milestone_escrow.cli.oracle_limits import limits_here
from milestone_escrow.cli.output import bad, bold, good, table
from milestone_escrow.documents.when import format_time

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from milestone_escrow.oracle.book import AgreementView
    from milestone_escrow.oracle.policies.limits import Limits, Release

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Trial:
    """One release, and why the limits refuse it; `waits` where it was not signed yet."""

    release: Release
    view: AgreementView | None
    refusals: tuple[str, ...]
    waits: bool

    @property
    def milestone(self) -> str:
        return self.view.find(self.release.milestone).key if self.view else "?"

    @property
    def amount(self) -> str:
        if self.view is None or self.view.agreement is None:
            return str(self.release.amount)
        return self.view.agreement.amount(self.release.amount)


def try_limits(session: Session, where: str | None, config: Path | None) -> None:
    """History first, then what waits; each counts against the limits of those after it."""
    store = existing_store(session, where)
    try:
        limits = limits_here(session, store.domain, config)
        with store.reading() as connection:
            trials = [*_history(connection, limits), *_waiting(connection, limits, session.now())]
    finally:
        store.close()
    if not trials:
        session.say("Nothing was accepted yet, and nothing waits: the limits have nothing to do.")
    for title, waits in (("What has happened", False), ("What waits now", True)):
        if shown := [trial for trial in trials if trial.waits is waits]:
            session.say(bold(title))
            session.say(table(map(_row, shown)) + "\n")
    refused = sum(bool(trial.refusals) for trial in trials)
    if trials:
        session.say(f"{len(trials) - refused} would be signed, {refused} refused.")
    session.emit({"signed": len(trials) - refused, "refused": refused,
                  "trials": [_json(trial) for trial in trials]})  # fmt: skip
    session.exit_status = 1 if refused else 0


def _history(connection: Connection, limits: Limits) -> Iterator[Trial]:
    from milestone_escrow.oracle import book
    from milestone_escrow.oracle.policies.limits import allowed
    from milestone_escrow.oracle.policies.past import acceptances

    found = acceptances(connection)
    ids = list({one.release.agreement_id for one in found})
    views = {view.id: view for view in book.agreements(connection, ids)}
    before: list[Release] = []
    for one in found:
        release = one.release
        refusals = allowed(limits, release, before, release.at)
        if not refusals:
            before.append(release)
        yield Trial(release, views.get(release.agreement_id), refusals, waits=False)


def _waiting(connection: Connection, limits: Limits, now: int) -> Iterator[Trial]:
    """Milestones whose requirements are met, and that no verdict has decided yet."""
    from sqlalchemy import select

    from milestone_escrow.oracle import book
    from milestone_escrow.oracle.policies.verdicts import Ledger, is_decidable, judge
    from milestone_escrow.oracle.store import tables as t

    met = select(t.verdicts.c.agreement_id, t.verdicts.c.milestone).where(t.verdicts.c.met)
    places = {(row.agreement_id, row.milestone) for row in connection.execute(met)}
    signed = {(one.agreement_id, one.milestone) for one in _signed(connection)}
    ledger = Ledger(connection, now)
    for view in book.agreements(connection, sorted({place[0] for place in places})):
        for stage in view.views:
            place = (view.id, stage.index)
            if place not in places or place in signed or stage.planned is None:
                continue
            if not is_decidable(stage, now):
                continue
            decision = judge(connection, view, stage, stage.planned, limits, ledger)
            release = ledger.release(view, stage)
            if decision.finding.is_met:
                if decision.accepts:
                    ledger.add(release)
                yield Trial(release, view, decision.refusals, waits=True)


def _signed(connection: Connection) -> Iterator[Release]:
    from milestone_escrow.oracle.policies.past import acceptances

    return (one.release for one in acceptances(connection))


def _row(trial: Trial) -> tuple[str, ...]:
    name = trial.view.name if trial.view else f"0x{trial.release.agreement_id.hex()[:8]}…"
    said = bad("refused") if trial.refusals else good("signed")
    when = "" if trial.waits else format_time(trial.release.at, UTC)
    return said, when, name, trial.milestone, trial.amount, "; ".join(trial.refusals)


def _json(trial: Trial) -> dict[str, object]:
    release = trial.release
    return {
        "agreement": "0x" + release.agreement_id.hex(),
        "milestone": trial.milestone,
        "payee": release.payee,
        "amount": {"units": str(release.amount), "text": trial.amount},
        "at": None if trial.waits else release.at,
        "waits": trial.waits,
        "signed": not trial.refusals,
        "refusals": list(trial.refusals),
    }
