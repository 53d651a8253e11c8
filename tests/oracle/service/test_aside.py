"""One record that cannot be read, wherever it is kept: every loop goes on, and it is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from milestone_escrow.chain.contract.events import AgreementOpened, Place
from milestone_escrow.documents.requirements.facts import JsonValue
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evaluating import Deciding
from milestone_escrow.oracle.indexer import rows
from milestone_escrow.oracle.policies.http import Fetcher
from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.policies.looking import Looking
from milestone_escrow.oracle.relaying.planning import plan
from milestone_escrow.oracle.reminders.dispatch import send_due
from milestone_escrow.oracle.reminders.planner import Planner
from milestone_escrow.oracle.service import LoopCheck, _each, _Loop
from milestone_escrow.oracle.signing.counting import dossiers
from milestone_escrow.oracle.signing.waiting import expire
from milestone_escrow.oracle.store import aside, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, upsert
from tests.oracle.conftest import DOMAIN
from tests.oracle.policies.world import BUYER, HOUSE, NOW, SUPPLIER, SURVEYOR, House, build
from tests.oracle.reminders.conftest import Notebook

LATER = NOW + 400 * 86_400
OTHER = HOUSE.replace("The ground floor stands", "The cellar stands")


@dataclass(frozen=True)
class Internet(Fetcher):
    """Answers everything with one word."""

    asked: list[str] = field(default_factory=list)

    def value(self, url: str, pointer: str) -> JsonValue:
        self.asked.append(url)
        return "pending"


@dataclass
class Loops:
    """Everything that a service does with its store again and again, as after a start."""

    store: Store
    told: Notebook = field(default_factory=Notebook)

    def ask(self) -> None:
        Looking(self.store, Internet(), every=0).round(NOW, NOW + 1_000)

    def decide(self) -> None:
        Deciding(self.store, Limits.parse({}, real_money=False)).round(NOW, NOW)

    def expire(self) -> None:
        with self.store.transaction() as connection:
            expire(connection, NOW)

    def relay(self) -> None:
        with self.store.transaction() as connection:
            plan(connection, LATER, LATER)

    def tell(self) -> None:
        Planner(self.store, [self.told]).round(NOW + 40 * 86_400, NOW)
        send_due(self.store, [self.told], "one", lambda: NOW + 9_000, now=NOW, limit=1_000)

    def index(self) -> None:
        with self.store.transaction() as connection:
            rows.mend(connection)

    def all(self) -> set[str]:
        """Everything once; what was set aside meanwhile, also where it was mended since."""
        named: set[str] = set()
        for each in (self.ask, self.decide, self.expire, self.relay, self.tell, self.index):
            each()
            named |= aside.everything().keys()
        return named


def happened(house: House) -> None:
    """The chain has told of its opening, and a verifier has spoken."""
    place = Place(5 + house.signed.id[0], NOW - 1_000, "0x" + house.signed.id.hex(), 0)
    signed = house.signed
    event = AgreementOpened(place, signed.id, BUYER, SUPPLIER, signed.terms, signed.milestones)
    with house.store.transaction() as connection:
        connection.execute(insert(t.events).values(row_shapes.event_row(event, bytes(32))))
        cursor = {"id": 1, "number": 300, "hash": bytes(32), "time": NOW, "final_number": 300}
        upsert(connection, t.cursor, {**cursor, "final_hash": bytes(32)}, "id")
    house.sign(0, [SURVEYOR])
    with house.store.transaction() as connection:
        connection.execute(update(t.attestations).values(state="complete"))


DAMAGES: dict[str, object] = {
    "documents.document": '{"form',
    "agreements.terms": '{"buyer": "0x',
    "agreements.milestones": "[]",
    "milestones.status": 99,
    "milestones.paid": "much",
    "events.data": '{"terms": ',
    "events.name": "AgreementForgotten",
    "observations.value": '{"value',
    "attestations.amount": "1e9",
    "intents.digests": "[",
    "intents.state": "adrift",
    "reminders.body": '{"to": "',
    "verdicts.reasons": '["',
}

# What is only the last answer, or is made anew, is written over instead of being named.
HEALED = {"observations.value", "verdicts.reasons"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of an oracle that has worked for one agreement."""
    path = tmp_path_factory.mktemp("aside") / "oracle.db"
    store = Store.open(path, DOMAIN)
    happened(build(store))
    Planner(store, [Notebook()]).round(NOW, NOW)
    Loops(store).all()
    with store.transaction() as connection:
        connection.execute(update(t.reminders).values(state="due"))
    store.close()
    return path


@pytest.fixture
def store(kept: Path, tmp_path: Path, open_store: Callable[..., Store]) -> Store:
    shutil.copy(kept, tmp_path / "oracle.db")
    return open_store()


def spoil(store: Store, damage: str) -> None:
    """Write what belongs in no such column into every row that there is."""
    table, column = damage.split(".")
    with store.transaction() as connection:
        line = f"UPDATE {table} SET {column} = :value"  # noqa: S608
        assert connection.execute(text(line), {"value": DAMAGES[damage]}).rowcount


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_damaged_record_stops_no_loop_for_others(store: Store, damage: str) -> None:
    spoil(store, damage)
    good = build(store, OTHER)
    happened(good)
    loops = Loops(store)
    named = loops.all()
    assert named or damage in HEALED
    assert not [name for name in named if good.signed.id.hex() in name]
    with store.reading() as connection:
        for made in (t.observations, t.verdicts, t.intents, t.reminders):
            mine = select(made).where(made.c.agreement_id == good.signed.id)
            assert connection.execute(mine).first(), made.name
    assert f"0x{good.signed.id.hex()}" in {one.body["agreement"]["id"] for one in loops.told.got}


@pytest.mark.parametrize("damage", ["agreements.terms", "milestones.status", "milestones.paid"])
def test_what_the_chain_has_told_is_made_again_from_its_events(store: Store, damage: str) -> None:
    spoil(store, damage)
    Loops(store).index()
    with store.reading() as connection:
        (view,) = viewing.agreements(connection, viewing.ids_of(connection))
    assert len(view.states) == 4
    assert not [name for name in aside.everything() if view.id.hex() in name]


def test_where_one_verdict_cannot_be_read_no_other_counts(house: House) -> None:
    """It may be the one that takes the others back."""
    house.sign(0, [SURVEYOR])
    later = house.sign(0, [SURVEYOR], at=NOW - 10)
    key = (house.signed.id, 0)

    def counting() -> list[tuple[str, ...]]:
        with house.store.reading() as connection:
            dossier = dossiers(connection, [key])[key]
            return [dossier.signers(one, [SURVEYOR]) for one in dossier.entries.values()]

    assert (SURVEYOR,) in counting()
    with house.store.transaction() as connection:
        where = t.attestations.c.issued_at == later.issued_at
        connection.execute(update(t.attestations).where(where).values(verdict=77))
    assert counting() == [()]


@pytest.fixture
def house(open_store: Callable[..., Store]) -> House:
    return build(open_store())


def test_a_loop_that_fails_says_so_and_one_that_comes_through_is_well() -> None:
    loop = _Loop("tell", late=300, last=0)
    assert loop.check(1) == LoopCheck("tell", False, "it has not come through yet")
    loop.came_through(10)
    assert loop.check(12) == LoopCheck("tell", True, "it last came through 2 seconds ago")
    loop.failed("the disk is full")
    said = "it last came through 2 seconds ago, and has failed once since: the disk is full"
    assert loop.check(12) == LoopCheck("tell", True, said)
    for _ in range(2):
        loop.failed("the disk is full")
    assert not loop.check(12).ok
    loop.came_through(20)
    assert loop.check(319).ok
    assert not loop.check(320).ok


def test_what_cannot_be_read_is_not_told_as_undone_and_is_told_once_it_can(store: Store) -> None:
    loops = Loops(store)
    planner = Planner(store, [loops.told])
    spoil(store, "agreements.terms")
    with store.transaction() as connection:
        connection.execute(update(t.reminders).values(state="sent"))
    for _ in range(2):
        planner.round(NOW + 40 * 86_400, NOW)
    with store.reading() as connection:
        kinds = set(connection.execute(select(t.reminders.c.kind)).scalars())
    assert "event.reverted" not in kinds
    assert [name for name in aside.everything() if name.startswith("what is kept of")]
    loops.index()
    planner.round(NOW + 40 * 86_400, NOW)
    assert not aside.everything()


def test_a_part_that_fails_does_not_keep_the_next_from_its_turn() -> None:
    done: list[str] = []

    def fails() -> None:
        raise ValueError("the relayer's row")

    with pytest.raises(ValueError, match="relayer"):
        _each(fails, lambda: done.append("decided"))
    assert done == ["decided"]
