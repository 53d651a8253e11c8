"""Writes what has become due into the outbox, looking only at agreements where something may have.

What is remembered between rounds saves work and nothing else: a new process looks at everything
once and comes to the same rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.reminders.delivery import Channel, delivery_id
from milestone_escrow.oracle.reminders.happenings import AT_ONCE
from milestone_escrow.oracle.reminders.notices import DEFAULT_LEADS, Notice
from milestone_escrow.oracle.reminders.outbox import ACTOR, enqueue, take_back, undone, wanting
from milestone_escrow.oracle.reminders.situations import situation
from milestone_escrow.oracle.reminders.worth_telling import due, plan
from milestone_escrow.oracle.store import aside
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, insert_new, serialize

SINCE = "reminders_since"
UNDOABLE = 7 * 86_400
"""Seconds after which no chain undoes a block any more."""

GRACE = 2 * 3_600
"""What happened so lately before the first round is told: its clock may have been fast."""

CHUNK = 100


class Planner:
    """Plans for one store; one per process."""

    def __init__(
        self,
        store: Store,
        channels: Sequence[Channel],
        leads: tuple[int, ...] = DEFAULT_LEADS,
    ) -> None:
        self.store = store
        self.channels = tuple(channels)
        self.leads = leads
        self._started = False
        self._final = -1
        self._acted = 0
        self._later: list[tuple[int, bytes]] = []
        self._next: dict[bytes, int] = {}
        self._unconfirmed: dict[bytes, int] = {}
        # What could not be read is looked at again each time: its deadlines must not be missed.
        self._again: set[bytes] = set()

    def round(self, now: int, wall: int) -> int:
        """Write the rows of everything that is due; how many were new.

        `now` is the contract's time, `wall` that of the machine. What happened long before the
        store's first round ever is not retold.
        """
        with self.store.reading() as connection:
            head = viewing.head(connection)
            final = head.final_number if head else -1
            chosen = self._candidates(connection, now, final)
            since = self._since(connection)
        if since is None:
            with self.store.transaction() as connection:
                first = str(now - GRACE)
                insert_new(connection, t.meta, {"key": SINCE, "value": first}, "key")
                since = self._since(connection) or 0
        new = 0
        for start in range(0, len(chosen), CHUNK):
            new += self._plan(chosen[start : start + CHUNK], now, wall, since)
        self._started, self._final = True, final
        return new

    def tell(self, notices: Sequence[Notice], wall: int) -> int:
        """Write rows for what is about no agreement, such as the relayer's gas; how many were new.

        Cheap where they are there already, so an alarm may be told again every second.
        """
        with self.store.reading() as connection:
            new = wanting(connection, self.channels, notices, None)
        if not new:
            return 0
        with self.store.transaction() as connection:
            serialize(connection, "audit")
            return enqueue(connection, self.channels, new, None, wall)

    def _since(self, connection: Connection) -> int | None:
        value = connection.execute(
            select(t.meta.c.value).where(t.meta.c.key == SINCE)
        ).scalar_one_or_none()
        return None if value is None else int(value)

    def _candidates(self, connection: Connection, now: int, final: int) -> list[bytes]:
        if not self._started:
            self._start(connection, final)
            return viewing.ids_of(connection)
        found = {i for i, block in self._unconfirmed.items() if block <= final} | self._again
        while self._later and self._later[0][0] <= now:
            at, agreement_id = heapq.heappop(self._later)
            if self._next.get(agreement_id) == at:
                found.add(agreement_id)
        e = t.events.c
        unsettled = e.block > min(self._final, final)
        for query in (
            select(e.agreement_id).where(unsettled),
            # The agreement that a change order closes is not the one that its event names.
            select(t.agreements.c.agreement_id)
            .join(t.events, e.agreement_id == t.agreements.c.replaced_by)
            .where(unsettled),
        ):
            found |= {row[0] for row in connection.execute(query.distinct()) if row[0]}
        found |= {i for i in map(_agreement_of, self._acts(connection)) if i}
        return sorted(found)

    def _acts(self, connection: Connection) -> list[str]:
        """What people and this service did since the last round: documents, signatures, offers."""
        a = t.audit.c
        query = select(a.seq, a.subject).where(a.seq > self._acted, a.actor != ACTOR)
        rows = connection.execute(query.order_by(a.seq)).all()
        self._acted = max([self._acted, *(row.seq for row in rows)])
        return [row.subject for row in rows]

    def _start(self, connection: Connection, final: int) -> None:
        """What a process that ran before knew: what was told and may still be undone."""
        r = t.reminders.c
        last = connection.execute(select(func.max(t.audit.c.seq))).scalar_one()
        self._acted = last or 0
        told = select(r.key, r.body, r.agreement_id).where(r.kind.in_(sorted(AT_ONCE)))
        head = viewing.head(connection)
        recent = told.where(r.due_at >= (head.time if head else 0) - UNDOABLE)
        for row in connection.execute(recent):
            with aside.apart(f"the reminder {delivery_id(row.key)}"):
                if row.body["block"] > final:
                    known = self._unconfirmed.get(row.agreement_id, -1)
                    self._unconfirmed[row.agreement_id] = max(known, row.body["block"])

    def _plan(self, ids: Sequence[bytes], now: int, wall: int, since: int) -> int:
        """Read first, then write only where a row is missing: most rounds write nothing."""
        work = []
        with self.store.reading() as connection:
            head = viewing.head(connection)
            final = head.final_number if head else -1
            for agreement_id in ids:
                self._again.add(agreement_id)
                with aside.apart(aside.about(agreement_id, "reminders")):
                    seen = situation(connection, agreement_id, final)
                    planned = plan(seen, now, self.leads) if seen else ()
                    told = due(planned, now, since=since)
                    wanted = wanting(connection, self.channels, told, seen) if seen else []
                    wrong = undone(connection, agreement_id, final, planned)
                    self._remember(agreement_id, planned, now, final)
                    self._again.discard(agreement_id)
                    if wanted or wrong:
                        work.append((agreement_id, seen, wanted, wrong))
        new = 0
        for agreement_id, seen, wanted, wrong in work:
            with (
                aside.apart(aside.about(agreement_id, "reminders")),
                self.store.transaction() as connection,
            ):
                # First, so that no two instances wait for each other's rows.
                serialize(connection, "audit")
                new += enqueue(connection, self.channels, wanted, seen, wall)
                new += sum(take_back(connection, row, wall) for row in wrong)
        return new

    def _remember(
        self, agreement_id: bytes, planned: Sequence[Notice], now: int, final: int
    ) -> None:
        ahead = [notice.at for notice in planned if notice.at > now]
        if ahead:
            self._next[agreement_id] = min(ahead)
            heapq.heappush(self._later, (min(ahead), agreement_id))
        else:
            self._next.pop(agreement_id, None)
        blocks = [n.block for n in planned if n.kind in AT_ONCE and n.block is not None]
        last = max([*blocks, self._unconfirmed.get(agreement_id, -1)])
        if last > final:
            self._unconfirmed[agreement_id] = last
        else:
            self._unconfirmed.pop(agreement_id, None)


def _agreement_of(subject: str) -> bytes | None:
    """The agreement that an entry of the audit log is about; None for anything else."""
    name = subject.partition("/")[0]
    try:
        found = bytes.fromhex(name[2:]) if name.startswith("0x") else b""
    except ValueError:
        return None
    return found if len(found) == 32 else None
