"""What `escrow oracle log` does."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from milestone_escrow.cli.oracle.store_home import existing_store
from milestone_escrow.cli.shell.output import dim, good, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.when import format_time

UTC = ZoneInfo("UTC")


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
