"""An agreement's dates as an iCalendar feed (RFC 5545), which any calendar can subscribe to."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.oracle.reminders.situations import situation
from milestone_escrow.protocol.lifecycle import DISPUTED, Status, silence

REFRESH = datetime.timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One date. `name` and the milestone make it the same entry whenever it is asked for again;
    `sequence` grows with every change of it, `changed` is when that was."""

    name: str
    milestone: int
    at: int
    summary: str
    text: str
    sequence: int
    changed: int


def calendar(connection: Connection, agreement_id: bytes, now: int) -> bytes:
    """The feed of one agreement at `now`, the contract's time; the same until something changes.

    Raises:
        UsageError: no such agreement is open.
    """
    head = viewing.head(connection)
    seen = situation(connection, agreement_id, head.final_number if head else 0)
    if seen is None:
        raise UsageError(
            f"no agreement 0x{agreement_id.hex()[:12]}… is open", hint="check its id or reference"
        )
    return feed(seen, now)


def feed(seen: Situation, now: int) -> bytes:
    """See `calendar`."""
    import icalendar

    found = icalendar.Calendar()
    found.add("prodid", "-//milestone-escrow//oracle//EN")
    found.add("version", "2.0")
    found.add("method", "PUBLISH")
    title = seen.document.title if seen.document else ""
    found.add("x-wr-calname", f"{seen.reference} {title}".strip())
    found.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for entry in entries(seen, now):
        event = icalendar.Event()
        event.add(
            "uid", f"{entry.name}-{entry.milestone}-{seen.agreement_id.hex()}@milestone-escrow"
        )
        event.add("sequence", entry.sequence)
        event.add("dtstamp", _utc(entry.changed))
        event.add("dtstart", _utc(entry.at))
        event.add("summary", f"{seen.reference}: {entry.summary}")
        event.add("description", entry.text)
        event.add("transp", "TRANSPARENT")
        found.add_component(event)
    return bytes(found.to_ical())


def entries(seen: Situation, now: int) -> Iterator[CalendarEntry]:
    """Every date of the agreement that is still to come or that nobody has acted on yet."""
    for index, state in enumerate(seen.states):
        if state.status is Status.SETTLED:
            continue
        milestone, label = seen.milestones[index], seen.names.milestone(index)
        changed, sequence = seen.since[index], _version(state.epoch + state.handover, state.status)
        due = seen.due_at(index)
        if due and state.status in (Status.UNFUNDED, Status.FUNDED):
            title = seen.document.milestones[index].title if seen.document else ""
            yield CalendarEntry(
                "due",
                index,
                due,
                f"{label} is due",
                f"{title}. It pays {seen.names.amount(seen.held(index) or milestone.amount)} to "
                f"{seen.names.person(seen.payee(index))}.",
                sequence,
                changed,
            )
        if state.status is Status.UNFUNDED and milestone.deadline:
            yield CalendarEntry(
                "end",
                index,
                milestone.deadline,
                f"{label} can no longer be funded",
                f"{seen.names.amount(milestone.amount)} are not paid in yet.",
                sequence,
                changed,
            )
        steps = silence(seen.terms, milestone, state)
        if state.status in DISPUTED and steps:
            yield CalendarEntry(
                "ruling",
                index,
                steps[0].at,
                f"last day to rule on {label}",
                f"{seen.names.person(seen.terms.arbiter)} may rule until then.",
                sequence,
                changed,
            )
        for place, step in enumerate(steps):
            what = seen.split(index, step.split)
            is_up = not place and step.at <= now
            command = f"escrow finalize {seen.reference} {seen.key(index)}"
            yield CalendarEntry(
                f"end{place + 1}" if place else "end",
                index,
                step.at,
                f"{label}: time is up" if is_up else f"{label}: time {what}",
                f"Anyone can let time decide now, which {what}: {command}"
                if is_up
                else f"If nobody acts until {seen.names.time(step.at)}, time {what}. {command}",
                sequence,
                step.at if is_up else changed,
            )


def _version(sequence: int, status: Status) -> int:
    """Grows whenever the milestone changes: its counter, and being funded, which does not count."""
    return sequence + (status is not Status.UNFUNDED)


def _utc(moment: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
