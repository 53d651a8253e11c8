"""`escrow oracle log`: what the service did, and the proof that nobody changed it."""

from __future__ import annotations

import click

from milestone_escrow.cli.oracle.run import STORE
from milestone_escrow.cli.oracle.store_home import existing_store
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.output import dim, good, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.when import UTC, format_time


@click.group(short_help="Show or verify the audit log.")
def log() -> None:
    """The audit log: each entry commits to the one before by its hash.

    \b
    Examples:
      escrow oracle log show
      escrow oracle log verify
    """


@log.command(short_help="Show entries of the audit log.")
@click.option(
    "--subject",
    metavar="ID",
    help="Only those about this agreement, or ID/INDEX: one milestone, counted from 0.",
)
@click.option("--last", type=click.IntRange(1), default=20, metavar="N", help="How many; 20.")
@STORE
@reads
def show(session: Session, subject: str | None, last: int, store: str | None) -> None:
    """Show the last entries of the audit log, the newest at the end.

    \b
    Examples:
      escrow oracle log show
      escrow oracle log show --last 100 --json
    """
    show_log(session, store, subject or "", last)


@log.command(short_help="Verify the audit log's chain of hashes.")
@STORE
@reads
def verify(session: Session, store: str | None) -> None:
    """Follow the chain of hashes from the first entry to the last.

    Keep the hash that it prints: whoever cuts off the end later is found by it.

    \b
    Examples:
      escrow oracle log verify
      escrow oracle log verify --store postgresql://escrow@db/escrow
    """
    verify_log(session, store)


def show_log(session: Session, where: str | None, subject: str, last: int) -> None:
    """The last entries, the newest at the end."""
    from milestone_escrow.oracle.store import audit_log

    store = existing_store(session, where)
    try:
        with store.reading() as connection:
            found = audit_log.latest(connection, last, subject=subject)
    finally:
        store.close()
    rows = [
        (
            str(entry.seq),
            format_time(entry.at, UTC),
            entry.actor,
            entry.action,
            dim(_short(entry.subject)),
        )
        for entry in found
    ]
    session.say(table(rows) if rows else "The log is empty.")
    session.emit(
        {
            "entries": [
                {
                    "seq": entry.seq,
                    "at": entry.at,
                    "actor": entry.actor,
                    "action": entry.action,
                    "subject": entry.subject,
                    "data": entry.data,
                    "hash": "0x" + entry.hash.hex(),
                }
                for entry in found
            ]
        }
    )


def verify_log(session: Session, where: str | None) -> None:
    """Follow the chain of hashes.

    Raises:
        StoreError: an entry is missing or was changed.
    """
    from milestone_escrow.oracle.store import audit_log

    store = existing_store(session, where)
    try:
        with store.reading() as connection:
            last = audit_log.verify(connection)
    finally:
        store.close()
    if last is None:
        session.say("The log is empty.")
        session.emit({"entries": 0, "hash": None})
        return
    session.say(f"{good('The log is whole')}: {last.seq:,} entries, none missing, none changed.")
    session.say(f"Its last hash is 0x{last.hash.hex()}.")
    session.emit({"entries": last.seq, "hash": "0x" + last.hash.hex()})


def _short(subject: str) -> str:
    return subject if len(subject) < 24 else f"{subject[:10]}…{subject[66:]}"
