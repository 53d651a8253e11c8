"""What a seed decides beforehand, and the world in which it is played."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import event

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.lifecycle import State
from tests.oracle.simulation.deal import (
    Ground,
    ground,
)
from tests.oracle.simulation.instance import Killer, Recipient, Watcher

HOUR = 3_600
GWEI = 10**9
PROVEN, REJECTED, SILENT = "proven", "rejected", "silent"
DEPTH = 12


@dataclass(frozen=True)
class Plan:
    """What a seed decides before it begins.

    `rate` is the share of lies, `widest` how many blocks a node lets one ask about, `skews` by how
    much each instance's clock is wrong, `kills` how often one dies while it acts; the first dies
    for good at step `dies_at`. With `calm` the bad phase begins with what makes every step come.
    """

    seed: int
    reference: str
    fates: tuple[str, str, str]
    rate: float
    widest: int
    skews: tuple[int, ...]
    kills: float
    steps: int
    dies_at: int | None
    calm: bool = False

    @classmethod
    def of(cls, seed: int) -> Plan:
        chance = random.Random(seed)
        instances = chance.choice((1, 2, 2))
        steps = chance.randrange(25, 40)
        return cls(
            seed,
            chance.choice(("SIM-AT-ONCE", "SIM-LATER")),
            (
                chance.choice((PROVEN, PROVEN, SILENT)),
                chance.choice((PROVEN, PROVEN, SILENT)),
                chance.choice((PROVEN, PROVEN, REJECTED, SILENT)),
            ),
            chance.choice((0.0, 0.05, 0.15, 0.3)),
            chance.choice((2, 5, 100)),
            tuple(chance.choice((0, -HOUR, HOUR)) for _ in range(instances)),
            chance.choice((0.0, 0.2, 0.5)),
            steps,
            chance.randrange(steps) if instances > 1 and chance.random() < 0.3 else None,
        )

    def calmly(self) -> Plan:
        """Without the seed's own kills and lies, and with everything proven."""
        proven = (PROVEN, PROVEN, PROVEN)
        return replace(self, fates=proven, rate=0.0, kills=0.0, dies_at=None, calm=True)


@dataclass
class World:
    """The chain, the store, the clocks and the machines of one run."""

    plan: Plan
    folder: Path
    killer: Killer = field(default_factory=Killer)

    def __post_init__(self) -> None:
        self.random = random.Random(self.plan.seed + 1)
        self.ground: Ground = ground()
        self.deal = self.ground.deals[self.plan.reference]
        self.bound = self.deal.bound
        self.chain = self.ground.escrow.chain
        self.store = self.open("oracle.db")
        self.blobs = Folder(self.folder / "evidence")
        self.watcher = Watcher()
        self.recipient = Recipient()
        self.proposals: dict[int, Attestation] = {}
        self.posted: set[tuple[int, int]] = set()
        self.handed_in: set[int] = set()
        self._known: tuple[bytes, tuple[State, ...]] | None = None

    def view(self) -> viewing.AgreementView | None:
        """The agreement as far as the store has heard of it."""
        with self.store.reading() as connection:
            return viewing.agreement(connection, self.bound.id)

    def clock(self, skew: int) -> Callable[[], int]:
        return lambda: self.now + skew

    def catch_up(self) -> None:
        """The chain's next block is not before the present."""
        if self.now > self.chain.time:
            self.chain.set_next_time(self.now)

    def states(self) -> tuple[State, ...]:
        """On chain."""
        head = self.chain.head.header.hash
        if self._known is None or self._known[0] != head:
            self._known = (head, self.ground.escrow.states(self.bound))
        return self._known[1]

    def open(self, name: str) -> Store:
        path = self.folder / name
        shutil.copy(self.ground.store, path)
        store = Store.open(path, self.ground.escrow.domain)
        event.listen(store.engine, "connect", _careless)
        store.engine.dispose()
        return store


def _careless(connection: object, _record: object) -> None:
    """The process dies here, never the machine: waiting for the disk would prove nothing."""
    connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]
