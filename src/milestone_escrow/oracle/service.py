"""The service: looks at what is true, does what is missing, and may be killed at any instant.

Four loops share one store. `follow` brings the chain into it, `work` decides, signs and sends,
`tell` reminds, `ask` looks at addresses that requirements name. Each is a function that may be
called at any time; a pause only says when to look again, and `wake` ends it early.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from milestone_escrow.chain.node.network import Network
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.indexer.indexer import DeepReorgError, Indexer, Progress
from milestone_escrow.oracle.relaying.relayer import Relayer, RelayReport
from milestone_escrow.oracle.reminders.delivery import Channel
from milestone_escrow.oracle.reminders.dispatch import SendingRound, send_due
from milestone_escrow.oracle.reminders.planner import Planner
from milestone_escrow.oracle.reminders.worth_telling import alarm
from milestone_escrow.oracle.signing.waiting import expire
from milestone_escrow.oracle.store.store import Store

log = logging.getLogger("milestone_escrow.oracle.service")

LONGEST_PAUSE = 60.0


class Decider(Protocol):
    """Evaluates requirements and, with a key, signs what they justify."""

    def round(self, now: int, wall: int) -> int:
        """Decide wherever something may have changed; how many attestations were signed."""
        ...


class Asker(Protocol):
    """Asks the addresses that requirements name."""

    def round(self, now: int, wall: int) -> int:
        """Ask what was not asked for a while; how many addresses were."""
        ...


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between two looks while nothing wakes a loop."""

    follow: float = 4.0
    work: float = 5.0
    tell: float = 10.0
    ask: float = 15.0


@dataclass
class Service:
    """One instance of the oracle. Without a relayer nothing is sent, without a decider nothing is
    signed: it watches, takes in, publishes and reminds."""

    store: Store
    network: Network
    indexer: Indexer
    clock: Callable[[], int]
    owner: str
    decider: Decider | None = None
    asker: Asker | None = None
    relayer: Relayer | None = None
    channels: Sequence[Channel] = ()
    leads: tuple[int, ...] = ()
    pauses: Pauses = Pauses()
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _something: threading.Event = field(default_factory=threading.Event, init=False)
    _threads: list[threading.Thread] = field(default_factory=list, init=False)
    _fatal: EscrowError | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._planner = Planner(self.store, self.channels, self.leads)

    def now(self) -> int:
        """The time that the contract's clocks go by; a local chain has a time of its own."""
        wall = self.clock()
        with self.store.reading() as connection:
            head = viewing.head(connection)
        if head is None:
            return wall
        return head.time if self.network.local else max(head.time, wall)

    def wake(self) -> None:
        """There is something to do: look now."""
        self._something.set()

    def follow(self) -> Progress:
        """Bring the store up to the chain."""
        progress = self.indexer.catch_up(self.clock())
        if progress.events or progress.undone:
            self.wake()
        return progress

    def work(self) -> RelayReport | None:
        """Decide, sign, send. What is complete already goes out before anything new is decided."""
        report = self._relay()
        now = self.now()
        with self.store.transaction() as connection:
            expire(connection, now)
        if self.decider is not None and self.decider.round(now, self.clock()):
            report = self._relay()
        return report

    def tell(self) -> SendingRound:
        """Write what is due into the outbox, and send it."""
        now = self.now()
        self._planner.round(now, self.clock())
        return send_due(
            self.store, self.channels, self.owner, self.clock, now=now, leads=self.leads
        )

    def ask(self) -> int:
        """Look at addresses that requirements name; a loop of its own, since servers are slow."""
        if self.asker is None:
            return 0
        asked = self.asker.round(self.now(), self.clock())
        if asked:
            self.wake()
        return asked

    def tick(self) -> None:
        """Everything once, in order."""
        self.follow()
        self.ask()
        self.work()
        self.follow()
        self.tell()

    def start(self) -> None:
        """Run the loops in threads of their own until `stop`."""
        rooms: tuple[tuple[str, Callable[[], object], float, bool], ...] = (
            ("follow", self.follow, self.pauses.follow, False),
            ("work", self.work, self.pauses.work, True),
            ("tell", self.tell, self.pauses.tell, False),
            ("ask", self.ask, self.pauses.ask, False),
        )
        for name, act, pause, wakes in rooms:
            arguments = (name, act, pause, wakes)
            thread = threading.Thread(target=self._loop, args=arguments, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End the loops after what each is doing."""
        self._stop.set()
        self._something.set()
        for thread in self._threads:
            thread.join(timeout)

    @property
    def fatal(self) -> EscrowError | None:
        """Why the service cannot go on; None while it can."""
        return self._fatal

    def wait(self, seconds: float | None = None) -> bool:
        """Until somebody stops the service; whether that happened."""
        return self._stop.wait(seconds)

    def _relay(self) -> RelayReport | None:
        if self.relayer is None:
            return None
        report = self.relayer.step()
        if report.alerts:
            wall = self.clock()
            alarms = [alarm(one.kind, one.subject, one.text, wall) for one in report.alerts]
            self._planner.tell(alarms, wall)
        return report

    def _loop(self, name: str, act: Callable[[], object], pause: float, wakes: bool) -> None:
        failures = 0
        while not self._stop.is_set():
            if wakes:
                self._something.clear()
            try:
                act()
                failures = 0
            except DeepReorgError as error:
                # Nothing may be sent on the strength of a history that did not happen.
                log.critical("stopped", extra={"fields": {"loop": name, "reason": str(error)}})
                self._fatal = error
                self._stop.set()
                self._something.set()
                return
            except (EscrowError, SQLAlchemyError, OSError) as error:
                failures += 1
                fields = {"loop": name, "reason": _reason(error), "failures": failures}
                log.warning("will try again", extra={"fields": fields})
            wait = min(pause * 2 ** min(failures, 6), max(LONGEST_PAUSE, pause))
            (self._something if wakes else self._stop).wait(wait)


def _reason(error: Exception) -> str:
    """The database's errors carry statements with their values: only their kind is logged."""
    return type(error).__name__ if isinstance(error, SQLAlchemyError) else str(error)
