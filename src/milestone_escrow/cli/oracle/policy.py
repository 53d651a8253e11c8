"""`escrow oracle policy`: what the oracle may sign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.oracle.network_limits import limits_here
from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.oracle.store_home import existing_store
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.output import bad, bold, good, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.when import UTC, format_time

if TYPE_CHECKING:
    from milestone_escrow.oracle.policies.trials import Trial


@click.group(short_help="Look at what the oracle may sign.")
def policy() -> None:
    """The limits under [limits] in oracle.toml, tried out before they count.

    \b
    Examples:
      escrow oracle policy test
    """


@policy.command(short_help="Try the limits on what has happened.")
@STORE
@CONFIG
@reads
def test(session: Session, store: str | None, config: Path | None) -> None:
    """Try the limits on every milestone that was ever accepted, in order, and on those that wait
    for the oracle's signature now: what would have been signed, what refused, and why.

    Signs nothing and changes nothing. Status 1 if anything would have been refused.

    \b
    Examples:
      escrow oracle policy test
      escrow oracle policy test --config stricter.toml --json
    """
    try_limits(session, store, config)


def try_limits(session: Session, where: str | None, config: Path | None) -> None:
    """History first, then what waits; status 1 if anything would be refused."""
    from milestone_escrow.oracle.policies.trials import trials

    store = existing_store(session, where)
    try:
        limits = limits_here(session, store.domain, config)
        with store.reading() as connection:
            found = trials(connection, limits, session.now())
    finally:
        store.close()
    if not found:
        session.say("Nothing was accepted yet, and nothing waits: the limits have nothing to do.")
    for title, waits in (("What has happened", False), ("What waits now", True)):
        if shown := [trial for trial in found if trial.waits is waits]:
            session.say(bold(title))
            session.say(table(map(_row, shown)) + "\n")
    refused = sum(bool(trial.refusals) for trial in found)
    if found:
        session.say(f"{len(found) - refused} would be signed, {refused} refused.")
    session.emit(
        {
            "signed": len(found) - refused,
            "refused": refused,
            "trials": [_json(trial) for trial in found],
        }
    )
    session.exit_status = 1 if refused else 0


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
