"""Killed between any two statements, the store is as before or as after, and goes on from there."""

from __future__ import annotations

import pytest

from milestone_escrow.chain.node.network import Network
from milestone_escrow.oracle.indexer.bounds import ReadingLimits
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store.store import Store
from tests.oracle.indexer.conftest import Told
from tests.oracle.indexer.scripted import CONTRACT
from tests.oracle.indexer.truth import assert_true, held

MOMENTS = [
    "index.read",
    "index.begun",
    "index.events_undone",
    "index.rows_rebuilt",
    "index.undone",
    "index.events_written",
    "index.rows_written",
    "index.cursor_written",
    "index.before_commit",
    "index.committed",
]


class Killed(BaseException):
    """As by `kill -9`: nothing of ours catches it."""


def killing(moment: str) -> list[str]:
    """Stops at a moment, once; what was passed until then."""
    passed: list[str] = []

    def hook(name: str) -> None:
        passed.append(name)
        if name == moment and passed.count(name) == 1:
            raise Killed

    failpoints.set_hook(hook)
    return passed


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_moment_of_a_fork_loses_nothing(
    store: Store, told: Told, network: Network, limits: ReadingLimits, moment: str
) -> None:
    told.grow(24)
    Indexer(store, told.chain, network, CONTRACT, limits=limits).catch_up(0)
    before = held(store)
    told.fork(7)
    told.grow(9)
    passed = killing(moment)
    with pytest.raises(Killed):
        Indexer(store, told.chain, network, CONTRACT, limits=limits).step(0)
    assert passed[-1] == moment
    if moment == "index.committed":
        assert_true(store, told.chain)
    else:
        assert held(store) == before
    Indexer(store, told.chain, network, CONTRACT, limits=limits).catch_up(0)
    assert_true(store, told.chain)
    assert held(store)["cursor"][0] == told.chain.head


def test_the_moments_are_all_there_are(
    store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    passed = killing("never")
    told.grow(24)
    indexer = Indexer(store, told.chain, network, CONTRACT, limits=limits)
    indexer.catch_up(0)
    told.fork(7)
    told.grow(9)
    indexer.catch_up(0)
    assert set(passed) == set(MOMENTS)
