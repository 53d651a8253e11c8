"""Rows of what is to be told: written once by key, whoever plans them and however often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from milestone_escrow.oracle.reminders.delivery import (
    Channel,
    body_of,
    delivery_id,
    row_key,
)
from milestone_escrow.oracle.reminders.happenings import AT_ONCE
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new

ACTOR = "reminders"
REVERTED = "event.reverted"
"""The kind that takes back what was told too early."""

_TAKEN_BACK = "/reverted"


def enqueue(
    connection: Connection,
    channels: Sequence[Channel],
    notices: Iterable[Notice],
    seen: Situation | None,
    now: int,
) -> int:
    """Write a row for every notice, channel and recipient that has none; how many were new.

    `now` is the wall clock. What was cancelled because it was no longer so and is so again is
    taken up again.
    """
    new = 0
    for notice in notices:
        for channel in channels:
            for to in channel.recipients(notice, seen):
                key = row_key(channel.name, to, notice.key)
                if notice.kind in AT_ONCE:
                    key = _after_corrections(connection, key)
                body = body_of(notice, seen, to, now)
                place = (notice.kind, notice.agreement_id, notice.milestone)
                new += _write(connection, key, channel.name, *place, body)
    return new


def undone(
    connection: Connection, agreement_id: bytes, final_block: int, planned: Iterable[Notice]
) -> list[Any]:
    """Rows that were told at once and that the chain has undone for good, and nobody took back.

    It is undone for good once the blocks in which it stood are final without it.
    """
    current = {notice.key for notice in planned}
    rows = connection.execute(
        select(t.reminders)
        .where(t.reminders.c.agreement_id == agreement_id)
        .where(t.reminders.c.kind.in_(sorted([*AT_ONCE, REVERTED])))
        .where(t.reminders.c.state != "cancelled")
    ).all()
    keys = {row.key for row in rows}
    return [
        row
        for row in rows
        if row.kind in AT_ONCE
        and row.state in ("sending", "sent")
        and row.body["notice"] not in current
        and row.body["block"] <= final_block
        and row.key + _TAKEN_BACK not in keys
    ]


def take_back(connection: Connection, row: Any, now: int) -> bool:
    """Write the correction of a row; should it happen after all, it is told anew."""
    body = row.body
    told = {
        **body,
        "until": None,
        "at": now,
        "written_at": now,
        "subject": f"taken back: {body['subject']}",
        "text": f"The chain has undone what was told before: “{body['text']}” It did not happen.",
        "facts": {"reverted": row.kind, "id": delivery_id(row.key)},
    }
    key = row.key + _TAKEN_BACK
    return _write(connection, key, row.channel, REVERTED, row.agreement_id, row.milestone, told)


def wanting(
    connection: Connection,
    channels: Sequence[Channel],
    notices: Iterable[Notice],
    seen: Situation | None,
) -> list[Notice]:
    """Those of the notices for which `enqueue` would have something to do."""
    rows = connection.execute(
        select(t.reminders.c.key, t.reminders.c.state).where(
            t.reminders.c.agreement_id == (seen.agreement_id if seen else None)
        )
    )
    states = {row.key: row.state for row in rows}
    found = []
    for notice in notices:
        keys = [
            row_key(channel.name, to, notice.key)
            for channel in channels
            for to in channel.recipients(notice, seen)
        ]
        done = ("due", "sending", "sent", "failed")
        if any(states.get(key) not in done or key + _TAKEN_BACK in states for key in keys):
            found.append(notice)
    return found


def is_void(row: Any, planned: Iterable[Notice]) -> bool:
    """Whether a row that was not sent yet says what is no longer so."""
    return row.body["notice"] not in {notice.key for notice in planned}


def _write(
    connection: Connection,
    key: str,
    channel: str,
    kind: str,
    agreement_id: bytes | None,
    milestone: int | None,
    body: dict[str, Any],
) -> bool:
    now = body["written_at"]
    row = {
        "key": key,
        "agreement_id": agreement_id,
        "milestone": milestone,
        "kind": kind,
        "channel": channel,
        "due_at": body["at"],
        "body": body,
        "state": "due",
        "reason": "",
        "tries": 0,
        "next_try": now,
        "lease_until": 0,
    }
    subject = audit_log.subject_of(agreement_id, milestone) if agreement_id else kind
    if not insert_new(connection, t.reminders, row, "key"):
        revived = connection.execute(
            update(t.reminders)
            .where(t.reminders.c.key == key, t.reminders.c.state == "cancelled")
            .values(state="due", body=body, reason="", next_try=now, tries=0)
        )
        if not revived.rowcount:
            return False
    audit_log.record(
        connection,
        now,
        ACTOR,
        "reminder.due",
        subject,
        id=delivery_id(key),
        kind=kind,
        channel=channel,
    )
    return True


def _after_corrections(connection: Connection, key: str) -> str:
    """The key under which something is told that was taken back before, perhaps repeatedly."""
    found, count = key, 1
    while connection.execute(
        select(t.reminders.c.key).where(t.reminders.c.key == found + _TAKEN_BACK)
    ).first():
        count += 1
        found = f"{key}/{count}"
    return found
