"""An agreement of carpets, the chain that tells of it, and somebody who notes what is told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.oracle.reminders.delivery import Delivery, DeliveryError, Mark
from milestone_escrow.oracle.reminders.dispatch import SendingRound, send_due
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.planner import Planner
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.oracle.store.store import Store
from tests.oracle.reminders.chronicle import Chronicle, example


@dataclass
class Notebook:
    """A channel that notes down what it was given, by id, however often."""

    name: str = "notebook"
    got: list[Delivery] = field(default_factory=list)
    failing: list[DeliveryError] = field(default_factory=list)

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        return ("",)

    def send(self, delivery: Delivery, mark: Mark) -> None:
        if self.failing:
            raise self.failing.pop(0)
        mark()
        self.got.append(delivery)

    @property
    def kinds(self) -> list[str]:
        return [delivery.kind for delivery in self.got]

    def texts(self, kind: str) -> list[str]:
        return [delivery.body["text"] for delivery in self.got if delivery.kind == kind]


@dataclass
class Desk:
    """One instance: plans and sends whenever it is told to, by the chronicle's time."""

    store: Store
    chronicle: Chronicle
    channel: Notebook
    owner: str = "one"

    def __post_init__(self) -> None:
        self.planner = Planner(self.store, [self.channel])

    def round(self, wall: int | None = None) -> SendingRound:
        now = self.chronicle.time
        wall = now if wall is None else wall
        self.chronicle.write(self.store)
        self.planner.round(now, wall)
        return send_due(self.store, [self.channel], self.owner, lambda: wall, now=now, limit=1_000)

    def restart(self) -> None:
        self.planner = Planner(self.store, [self.channel])


@pytest.fixture(scope="session")
def carpets() -> BoundAgreement:
    return example("carpets")


@pytest.fixture
def chronicle(carpets: BoundAgreement) -> Chronicle:
    """Nothing has happened yet, on the day of the agreement."""
    return Chronicle(carpets, carpets.agreement.starts_at + 12 * 3_600)


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def desk(store: Store, chronicle: Chronicle, notebook: Notebook) -> Desk:
    """An instance that was there before anything happened."""
    desk = Desk(store, chronicle, notebook)
    chronicle.wait(1)
    desk.round()
    return desk
