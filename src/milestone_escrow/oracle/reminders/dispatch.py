"""Sends what is due. Killed at any instant, nothing is lost; what arrives twice says so by its id.

A row is claimed by a lease, marked `sending` at the last moment before anything can have arrived,
and recorded as `sent` after the receiver has confirmed it. Between mark and record nobody can know
whether it arrived: a mail server and a web server can both die, as we can, after taking it. Whoever
takes the row over sends it again, because a missed deadline costs money and a second letter does
not, and under the same id: receivers of webhooks see each `webhook-id` once, mailboxes merge
letters of one Message-ID, and the letter says that it may have come before. The mark needs the
lease, so an instance that was slow or stopped in between sends nothing any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.reminders.delivery import Channel, Delivery, DeliveryError, delivery_id
from milestone_escrow.oracle.reminders.notices import DEFAULT_LEADS
from milestone_escrow.oracle.reminders.outbox import ACTOR, is_void
from milestone_escrow.oracle.reminders.situations import situation
from milestone_escrow.oracle.reminders.worth_telling import plan
from milestone_escrow.oracle.store import aside, audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.leases import claim
from milestone_escrow.oracle.store.store import Store, serialize

LEASE_SECONDS = 180
"""Longer than a channel's timeouts add up to."""

MAX_TRIES = 14
FIRST_PAUSE, LONGEST_PAUSE = 30, 6 * 3_600

log = logging.getLogger("milestone_escrow.oracle.reminders")


class LeaseLostError(EscrowError):
    """Another instance has taken the delivery over."""


@dataclass(frozen=True, slots=True)
class SendingRound:
    """What one round did."""

    sent: int = 0
    later: int = 0
    failed: int = 0
    cancelled: int = 0


def send_due(
    store: Store,
    channels: Sequence[Channel],
    owner: str,
    clock: Callable[[], int],
    *,
    now: int | None = None,
    leads: tuple[int, ...] = DEFAULT_LEADS,
    limit: int = 20,
) -> SendingRound:
    """Send up to `limit` rows that are due and that nobody else sends.

    `clock` is the wall clock, for leases and retries; `now` the contract's time, by default the
    same. A channel that fails keeps its rows; the others go on.
    """
    outcomes: dict[str, int] = {"sent": 0, "later": 0, "failed": 0, "cancelled": 0}
    by_name = {channel.name: channel for channel in channels}
    r = t.reminders.c
    waiting = r.state.in_(["due", "sending"]) & (r.next_try <= clock())
    with store.transaction() as connection:
        rows = claim(
            connection,
            t.reminders,
            waiting & r.channel.in_(sorted(by_name)),
            owner=owner,
            now=clock(),
            seconds=LEASE_SECONDS,
            limit=limit,
            first=r.next_try,
        )
    failpoint("reminders.claimed")
    for row in rows:
        sender = _Sender(store, by_name[row.channel], owner, clock, row)
        with aside.apart(f"the reminder {delivery_id(row.key)}"):
            try:
                outcome = sender.run(clock() if now is None else now, leads)
            except aside.UNREADABLE as error:
                # The others must go out; where its channel had it already, it may have arrived.
                trouble = f"it cannot be read: {aside.reason(error)}"
                sender.failed(DeliveryError(trouble, unsure=sender.marked))
                outcomes["later"] += 1
                raise
            outcomes[outcome] += 1
    return SendingRound(**outcomes)


@dataclass
class _Sender:
    store: Store
    channel: Channel
    owner: str
    clock: Callable[[], int]
    row: Any
    marked: bool = False

    def run(self, now: int, leads: tuple[int, ...]) -> str:
        again = self.row.state == "sending"
        if not again and (why := self._void(now, leads)):
            return self._close("cancelled", why)
        body = self.row.body
        delivery = Delivery(self.row.key, self.row.kind, body["to"], body, again)
        try:
            self.channel.send(delivery, self._mark)
        except LeaseLostError:
            return "later"
        except DeliveryError as error:
            return self.failed(error)
        failpoint("reminders.accepted")
        return self._close("sent", "", again=again)

    def _void(self, now: int, leads: tuple[int, ...]) -> str:
        """Why it is not worth telling any more; empty where it is."""
        row = self.row
        if row.body["until"] is not None and now >= row.body["until"]:
            return "it came too late to be of use"
        if row.agreement_id is None or row.kind == "event.reverted":
            return ""
        with self.store.reading() as connection:
            head = viewing.head(connection)
            final = head.final_number if head else 0
            seen = situation(connection, row.agreement_id, final)
        if seen is None or is_void(row, plan(seen, now, leads)):
            return "things have moved on since"
        return ""

    def _mark(self) -> None:
        """From here on it may have gone out."""
        with self.store.transaction() as connection:
            # Fenced: a lease that has expired may be another's already.
            held = connection.execute(
                update(t.reminders)
                .where(t.reminders.c.key == self.row.key)
                .where(t.reminders.c.owner == self.owner)
                .where(t.reminders.c.lease_until > self.clock())
                .values(state="sending")
            )
        if not held.rowcount:
            raise LeaseLostError("another instance has taken this delivery over")
        self.marked = True
        failpoint("reminders.marked")

    def failed(self, error: DeliveryError) -> str:
        """Try it again later; give it up after many times, or where that cannot help."""
        tries = self.row.tries + 1
        now = self.clock()
        # Whether an earlier one arrived stays unknown, so it stays marked.
        state = "sending" if error.unsure or self.row.state == "sending" else "due"
        if error.lasting or tries >= MAX_TRIES:
            return self._close("failed", str(error))
        pause = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)
        log.warning(
            "a reminder could not be sent",
            extra={"fields": {"channel": self.channel.name, "error": str(error), "tries": tries}},
        )
        self._update(state=state, tries=tries, next_try=now + pause, reason=str(error)[:500])
        return "later"

    def _close(self, state: str, reason: str, *, again: bool = False) -> str:
        row, now = self.row, self.clock()
        with self.store.transaction() as connection:
            serialize(connection, "audit")
            done = connection.execute(
                update(t.reminders)
                .where(t.reminders.c.key == row.key)
                .where(t.reminders.c.owner == self.owner)
                .where(t.reminders.c.state.in_(["due", "sending"]))
                .values(
                    state=state,
                    reason=reason[:500],
                    sent_at=now if state == "sent" else None,
                    tries=row.tries + (state != "cancelled"),
                    owner=None,
                    lease_until=0,
                )
            )
            if done.rowcount:
                audit_log.record(
                    connection,
                    now,
                    ACTOR,
                    f"reminder.{state}",
                    _subject(row),
                    id=delivery_id(row.key),
                    kind=row.kind,
                    channel=row.channel,
                    **({"reason": reason[:500]} if reason else {}),
                    **({"again": True} if again else {}),
                )
        failpoint("reminders.recorded")
        return state

    def _update(self, **values: object) -> None:
        with self.store.transaction() as connection:
            connection.execute(
                update(t.reminders)
                .where(t.reminders.c.key == self.row.key)
                .where(t.reminders.c.owner == self.owner)
                .values(owner=None, lease_until=0, **values)
            )


def _subject(row: Any) -> str:
    if row.agreement_id is None:
        return str(row.kind)
    return audit_log.subject_of(row.agreement_id, row.milestone)
