"""After every step the store holds what the true chain says up to its cursor, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from milestone_escrow.chain.node.network import Network
from milestone_escrow.oracle.indexer.bounds import ReadingLimits
from milestone_escrow.oracle.indexer.indexer import DeepReorgError, Indexer
from milestone_escrow.oracle.store.store import Store
from tests.oracle.indexer.conftest import CONFIRMATIONS, Told
from tests.oracle.indexer.scripted import CONTRACT, ScriptedChain
from tests.oracle.indexer.truth import assert_true, held

Make = Callable[..., Indexer]


@pytest.fixture
def indexer(store: Store, told: Told, network: Network, limits: ReadingLimits) -> Indexer:
    return Indexer(store, told.chain, network, CONTRACT, limits=limits)


def test_each_step_adds_a_bounded_bit_and_holds(indexer: Indexer, store: Store, told: Told) -> None:
    told.grow(30)
    progress = indexer.step(0)
    assert (progress.number, progress.head) == (7, 30)
    assert not progress.caught_up
    assert_true(store, told.chain)
    while not progress.caught_up:
        progress = indexer.step(0)
        assert_true(store, told.chain)
    assert progress.number == told.chain.head
    assert len(held(store)["events"]) > 20


def test_nothing_new_changes_nothing(indexer: Indexer, store: Store, told: Told) -> None:
    told.grow(5)
    indexer.catch_up(0)
    before = held(store)
    assert indexer.step(0).events == 0
    assert held(store) == before


@pytest.mark.parametrize("back", range(1, CONFIRMATIONS))
def test_a_fork_is_undone_and_followed(
    indexer: Indexer, store: Store, told: Told, back: int
) -> None:
    told.grow(20)
    indexer.catch_up(0)
    told.fork(back)
    told.grow(back + 1)
    progress = indexer.step(0)
    assert progress.undone == back
    assert_true(store, told.chain)
    indexer.catch_up(0)
    assert held(store)["cursor"][0] == told.chain.head
    assert_true(store, told.chain)


@pytest.mark.parametrize("grown", [0, 1, 3])
def test_a_shorter_branch_is_followed_as_well(
    indexer: Indexer, store: Store, told: Told, grown: int
) -> None:
    told.grow(20)
    indexer.catch_up(0)
    told.fork(6)
    told.grow(grown)
    indexer.catch_up(0)
    if grown == 0:  # the node has less, and contradicts nothing
        assert held(store)["cursor"][0] == 20
        told.grow(7)
        indexer.catch_up(0)
    assert_true(store, told.chain)
    assert held(store)["cursor"][0] == told.chain.head


def test_two_forks_in_a_row_between_two_looks(indexer: Indexer, store: Store, told: Told) -> None:
    told.grow(20)
    indexer.catch_up(0)
    told.fork(5)
    told.grow(7)
    told.fork(9)
    told.grow(10)
    indexer.catch_up(0)
    assert_true(store, told.chain)


def test_back_and_forth_between_two_branches(
    store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    told.grow(20)
    branches = []
    base = list(told.chain.blocks)
    branches.append(base)
    told.fork(8)
    told.grow(9)
    branches.append(list(told.chain.blocks))
    for turn in range(6):
        told.chain.blocks = list(branches[turn % 2])
        Indexer(store, told.chain, network, CONTRACT, limits=limits).catch_up(0)
        if turn % 2:  # the other branch is one block longer
            assert held(store)["cursor"][0] == told.chain.head
        assert_true(store, told.chain)


@pytest.mark.parametrize("height", [7, 8, 9, 15, 16, 17])
def test_a_fork_at_the_border_of_a_step(
    indexer: Indexer, store: Store, told: Told, height: int
) -> None:
    told.grow(height)
    indexer.catch_up(0)
    for back in (1, 2, min(height - 1, 8)):
        told.fork(back)
        told.grow(back)
        indexer.catch_up(0)
        assert_true(store, told.chain)


def test_a_fork_below_what_was_final_stops_and_changes_nothing(
    indexer: Indexer, store: Store, told: Told
) -> None:
    told.grow(30)
    indexer.catch_up(0)
    before = held(store)
    told.fork(CONFIRMATIONS)
    told.grow(CONFIRMATIONS + 1)
    for _ in range(2):
        with pytest.raises(DeepReorgError, match="nothing was changed"):
            indexer.step(0)
    assert held(store) == before


def test_a_chain_that_was_started_anew_is_another_chain(
    indexer: Indexer, store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    told.grow(30)
    indexer.catch_up(0)
    before = held(store)
    anew = ScriptedChain(branch=7)
    anew.mine([])
    again = Indexer(store, anew, network, CONTRACT, limits=limits)
    with pytest.raises(DeepReorgError, match="on another chain with the id 31337"):
        again.step(0)
    assert held(store) == before


def test_a_node_that_is_behind_is_no_fork(indexer: Indexer, store: Store, told: Told) -> None:
    told.grow(20)
    indexer.catch_up(0)
    before = held(store)
    ahead = list(told.chain.blocks)
    for missing in (1, 5, 15, 20):
        told.chain.blocks = ahead[:-missing]
        progress = indexer.step(0)
        assert (progress.undone, progress.events) == (0, 0)
        assert held(store) == before


def test_downtime_is_caught_up_from_the_cursor(
    indexer: Indexer, store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    told.grow(10)
    indexer.catch_up(0)
    told.grow(150)
    Indexer(store, told.chain, network, CONTRACT, limits=limits).catch_up(0)
    assert held(store)["cursor"][0] == 160
    assert_true(store, told.chain)


def test_far_behind_it_reads_ranges_and_comes_to_the_same(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(200)
    limits = ReadingLimits(blocks=8, thorough=40, widest=64)
    indexer = Indexer(store, told.chain, network, CONTRACT, limits=limits)
    steps = 0
    progress = indexer.step(0)
    while not progress.caught_up:
        assert_true(store, told.chain)
        steps += 1
        progress = indexer.step(0)
    assert steps < 25
    assert_true(store, told.chain)
    told.fork(3)
    told.grow(4)
    indexer.catch_up(0)
    assert_true(store, told.chain)


def test_it_starts_where_the_contract_started(
    store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    told.chain.blocks.clear()
    told.chain.first = 1_000
    told.chain.mine([])
    told.grow(3)
    indexer = Indexer(store, told.chain, network, CONTRACT, since=1_000, limits=limits)
    indexer.catch_up(0)
    assert_true(store, told.chain)


def test_before_the_contract_there_is_nothing_to_read(
    store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    told.grow(3)
    indexer = Indexer(store, told.chain, network, CONTRACT, since=10, limits=limits)
    assert indexer.catch_up(0).number is None
    told.grow(3)
    assert indexer.step(0).number is None


def test_two_instances_on_one_store_add_everything_once(
    store: Store, told: Told, network: Network, limits: ReadingLimits
) -> None:
    first, second = (Indexer(store, told.chain, network, CONTRACT, limits=limits) for _ in range(2))
    for _ in range(6):
        told.grow(6)
        first.step(0)
        second.step(0)
    told.fork(4)
    told.grow(5)
    second.step(0)
    first.catch_up(0)
    assert_true(store, told.chain)
