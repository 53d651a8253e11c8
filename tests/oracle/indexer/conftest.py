"""Stores that cost nothing to make, chains that are told what to say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milestone_escrow.chain.node.network import Network
from milestone_escrow.oracle.indexer.bounds import ReadingLimits
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from tests.oracle.indexer.scripted import CHAIN_ID, CONTRACT, ScriptedChain
from tests.oracle.indexer.story import Story, written

DOMAIN = Domain(CHAIN_ID, CONTRACT)
# Twelve blocks may be undone, the thirteenth may not.
CONFIRMATIONS = 13


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "oracle.db"
    Store.open(path, DOMAIN).close()
    return path


@pytest.fixture
def new_store(empty_store: Path, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Makes an empty store."""
    opened: list[Store] = []

    def make() -> Store:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(empty_store, path)
        opened.append(Store.open(path, DOMAIN))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(new_store: Callable[[], Store]) -> Store:
    return new_store()


@pytest.fixture
def network() -> Network:
    """Counts confirmations: what it calls final is what the tests say."""
    return Network("ours", "Ours", CHAIN_ID, local=True, confirmations=CONFIRMATIONS)


@pytest.fixture
def limits() -> ReadingLimits:
    return ReadingLimits(blocks=8)


class Told:
    """A chain whose blocks carry a story; forks go back in the story, too."""

    def __init__(self, seed: int = 1) -> None:
        self.chain = ScriptedChain()
        self.story = Story(seed)
        self._moments = [self.story.snapshot()]
        self._forks = 0

    def grow(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            count = self.story.random.choice([0, 1, 1, 2])
            logs = [[written(e) for e in self.story.transaction()] for _ in range(count)]
            self.chain.mine(*logs)
            self._moments.append(self.story.snapshot())

    def fork(self, back: int) -> None:
        self.chain.fork(back)
        del self._moments[len(self._moments) - back :]
        self._forks += 1
        self.story.restore(self._moments[-1], other=1_000 * self._forks + back)


@pytest.fixture
def told() -> Told:
    return Told()
