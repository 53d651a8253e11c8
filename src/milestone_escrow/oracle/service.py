"""The service: looks at what is true, does what is missing, and may be killed at any instant.

Four loops share one store. `follow` brings the chain into it, `work` decides, signs and sends,
`tell` reminds, `ask` looks at addresses that requirements name. Each is a function that may be
called at any time; a pause only says when to look again, and `wake` ends it early.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from milestone_escrow.chain.node.network import Network
from milestone_escrow.documents.when import format_duration
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
LATE = 300.0
"""Seconds after which a loop that has not come through is no longer taken to work."""
MANY_FAILURES = 3
"""In a row; fewer may be a node or a network that takes a breath."""


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


@dataclass(frozen=True, slots=True)
class LoopCheck:
    """How one loop does: whether it has come through lately, and what there is to say of it."""

    name: str
    ok: bool
    text: str


@dataclass
class _Loop:
    """What became of a loop's rounds. `late` are the seconds that one may take."""

    name: str
    late: float
    last: float
    failures: int = 0
    why: str = ""
    is_first: bool = True

    def came_through(self, now: float) -> None:
        self.last, self.failures, self.why, self.is_first = now, 0, "", False

    def failed(self, why: str) -> None:
        self.failures, self.why = self.failures + 1, why

    def check(self, now: float) -> LoopCheck:
        ago = f"{format_duration(round(now - self.last) or 1)} ago"
        since = "it has not come through yet" if self.is_first else f"it last came through {ago}"
        if self.failures:
            times = "once" if self.failures == 1 else f"{self.failures} times"
            since = f"{since}, and has failed {times} since: {self.why}"
        ok = not self.is_first and self.failures < MANY_FAILURES and now - self.last < self.late
        return LoopCheck(self.name, ok, since)


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
    _loops: list[_Loop] = field(default_factory=list, init=False)
    _mended: bool = field(default=False, init=False)
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

    def loops(self) -> tuple[LoopCheck, ...]:
        """How each loop does; none before `start`."""
        now = time.monotonic()
        return tuple(loop.check(now) for loop in self._loops)

    def wake(self) -> None:
        """There is something to do: look now."""
        self._something.set()

    def follow(self) -> Progress:
        """Bring the store up to the chain."""
        if not self._mended:
            self.indexer.mend()
            self._mended = True
        progress = self.indexer.catch_up(self.clock())
        if progress.events or progress.undone:
            self.wake()
        return progress

    def work(self) -> RelayReport | None:
        """Decide, sign, send. What is complete already goes out before anything new is decided."""
        reports: list[RelayReport | None] = []
        _each(
            lambda: reports.append(self._relay()),
            self._expire,
            lambda: reports.append(self._relay()) if self._decide() else None,
        )
        return reports[-1]

    def tell(self) -> SendingRound:
        """Write what is due into the outbox, and send it."""
        now = self.now()
        sent: list[SendingRound] = []
        _each(
            lambda: self._planner.round(now, self.clock()),
            lambda: sent.append(self._send_due(now)),
        )
        return sent[0]

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
            loop = _Loop(name, max(LATE, 3 * pause), time.monotonic())
            self._loops.append(loop)
            arguments = (loop, act, pause, wakes)
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

    def _expire(self) -> None:
        with self.store.transaction() as connection:
            expire(connection, self.now())

    def _decide(self) -> int:
        return self.decider.round(self.now(), self.clock()) if self.decider else 0

    def _send_due(self, now: int) -> SendingRound:
        return send_due(
            self.store, self.channels, self.owner, self.clock, now=now, leads=self.leads
        )

    def _relay(self) -> RelayReport | None:
        if self.relayer is None:
            return None
        report = self.relayer.step()
        if report.alerts:
            wall = self.clock()
            alarms = [alarm(one.kind, one.subject, one.text, wall) for one in report.alerts]
            self._planner.tell(alarms, wall)
        return report

    def _loop(self, loop: _Loop, act: Callable[[], object], pause: float, wakes: bool) -> None:
        while not self._stop.is_set():
            if wakes:
                self._something.clear()
            try:
                act()
                loop.came_through(time.monotonic())
            except DeepReorgError as error:
                # Nothing may be sent on the strength of a history that did not happen.
                log.critical("stopped", extra={"fields": {"loop": loop.name, "reason": str(error)}})
                self._fatal = error
                self._stop.set()
                self._something.set()
                return
            except Exception as error:
                # Whatever it is: a loop that has ended without a word helps nobody.
                loop.failed(_reason(error))
                fields = {"loop": loop.name, "reason": loop.why, "failures": loop.failures}
                log.warning("will try again", extra={"fields": fields})
            wait = min(pause * 2 ** min(loop.failures, 6), max(LONGEST_PAUSE, pause))
            (self._something if wakes else self._stop).wait(wait)


def _each(*parts: Callable[[], object]) -> None:
    """Do every part, whatever becomes of those before.

    Raises:
        Exception: what the first that failed said.
    """
    first: Exception | None = None
    for part in parts:
        try:
            part()
        except DeepReorgError:
            raise
        except Exception as error:
            first = first or error
    if first is not None:
        raise first


def _reason(error: Exception) -> str:
    """The database's errors carry statements with their values: only their kind is logged."""
    is_ours = isinstance(error, (EscrowError, OSError))
    return str(error) if is_ours else type(error).__name__
