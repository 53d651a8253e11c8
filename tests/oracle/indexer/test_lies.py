"""Whatever a node says, the store ends up with the truth, and never with a part of it."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from milestone_escrow.chain.node.endpoints import Endpoints
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, LimitedError, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.oracle.indexer.bounds import ReadingLimits
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.indexer.reading import DoubtError
from milestone_escrow.oracle.store.store import Store
from tests.oracle.indexer.conftest import CONFIRMATIONS, Told
from tests.oracle.indexer.liars import Liar
from tests.oracle.indexer.scripted import CONTRACT
from tests.oracle.indexer.truth import assert_true, held
from tests.support.nodes import Odd

Truth = Callable[[], Any]


@pytest.mark.parametrize("seed", range(16))
def test_a_lying_node_delays_and_does_not_mislead(
    store: Store, network: Network, seed: int
) -> None:
    told, chance = Told(seed), random.Random(seed)
    told.grow(3)
    liar = Liar(told.chain, seed, 0.05, widest=chance.choice([3, 7, 100]))
    limits = ReadingLimits(blocks=8, thorough=chance.choice([30, 1_000]), widest=16)
    indexer = Indexer(store, liar, network, CONTRACT, limits=limits)
    for _ in range(12):
        told.grow(chance.randrange(0, 9))
        if chance.random() < 0.4:
            back = chance.randrange(1, min(CONFIRMATIONS, told.chain.head + 1))
            told.fork(back)
            told.grow(back + chance.randrange(2))
        for _ in range(4):
            with contextlib.suppress(ChainError):
                indexer.step(0)
            _assert_true_where_it_is(store, told)
    liar.rate = 0.0
    told.grow(1)
    indexer.catch_up(0)
    assert held(store)["cursor"][0] == told.chain.head
    assert_true(store, told.chain)


@pytest.mark.parametrize("seed", range(5))
def test_two_lying_nodes_behind_one_door_do_not_mislead_either(
    store: Store, network: Network, seed: int
) -> None:
    told, chance = Told(seed), random.Random(seed)
    told.grow(3)
    liars = [Liar(told.chain, seed + turn, 0.1) for turn in (0, 1_000)]
    clock = [0.0]
    nodes = Endpoints(liars, network, clock=lambda: clock[0])
    indexer = Indexer(store, nodes, network, CONTRACT, limits=ReadingLimits(blocks=8))
    for _ in range(15):
        told.grow(chance.randrange(0, 9))
        if chance.random() < 0.4:
            back = chance.randrange(1, min(CONFIRMATIONS, told.chain.head + 1))
            told.fork(back)
            told.grow(back)
        for _ in range(4):
            clock[0] += 2.0
            with contextlib.suppress(ChainError):
                indexer.step(0)
        _assert_true_where_it_is(store, told)
    for liar in liars:
        liar.rate = 0.0
    clock[0] += 1_000.0
    told.grow(1)
    indexer.catch_up(0)
    assert held(store)["cursor"][0] == told.chain.head
    assert_true(store, told.chain)


def _assert_true_where_it_is(store: Store, told: Told) -> None:
    try:
        number, own = held(store)["cursor"]
    except Exception:  # nothing was read yet
        return
    block = told.chain.block(number)
    if block is not None and block.hash == own:
        assert_true(store, told.chain)


def follow(store: Store, node: Any, network: Network) -> Indexer:
    return Indexer(store, node, network, CONTRACT, limits=ReadingLimits(blocks=50))


def dropped(keep: Callable[[dict[str, Any]], bool]) -> Callable[[Any, Truth], Any]:
    return lambda _, truth: [log for log in truth() if keep(log)]


def test_logs_that_a_node_leaves_out_are_found_by_the_blocks_receipts(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(20)
    follow(store, Odd(told.chain, eth_getLogs=[]), network).catch_up(0)
    assert_true(store, told.chain)
    assert len(held(store)["events"]) > 10


def test_one_log_of_several_that_is_left_out_is_found(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(40)
    half = Odd(told.chain, eth_getLogs=dropped(lambda log: int(log["logIndex"], 16) % 2 == 0))
    follow(store, half, network).catch_up(0)
    assert_true(store, told.chain)


def no_receipts(params: Any, truth: Truth) -> Any:
    raise RpcError("the method eth_getBlockReceipts does not exist", code=METHOD_NOT_FOUND)


def test_without_receipts_missing_logs_are_asked_for_again(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(20)

    def ranges_are_empty(params: Any, truth: Truth) -> Any:
        return truth() if "blockHash" in params[0] else []

    node = Odd(told.chain, eth_getLogs=ranges_are_empty, eth_getBlockReceipts=no_receipts)
    follow(store, node, network).catch_up(0)
    assert_true(store, told.chain)


def test_without_receipts_answers_that_change_are_refused(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(10)
    turn = iter(range(10_000))

    def sometimes(_: Any, truth: Truth) -> Any:
        return truth() if next(turn) % 2 else []

    node = Odd(told.chain, eth_getLogs=sometimes, eth_getBlockReceipts=no_receipts)
    with pytest.raises(ChainError, match="other logs"):
        follow(store, node, network).step(0)


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Any, Truth], Any]:
    def answer(_: Any, truth: Truth) -> Any:
        logs = copy.deepcopy(truth())
        for log in logs:
            change(log)
        return logs

    return answer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda log: log.update(blockHash="0x" + "12" * 32), "another block of that number"),
        (lambda log: log.update(blockNumber="0xffff"), "asked for logs up to"),
        (lambda log: log.update(address="0x" + "12" * 20), "not asked for"),
        (lambda log: log.update(removed=True), "not asked for"),
        (lambda log: log["topics"].append("0x" + "12" * 32), "bloom"),
        (lambda log: log.pop("logIndex"), "a log that is none"),
        (lambda log: log.update(topics=["0x12"]), "a log that is none"),
    ],
)
def test_a_log_that_does_not_fit_its_block_is_refused(
    store: Store,
    told: Told,
    network: Network,
    change: Callable[[dict[str, Any]], None],
    words: str,
) -> None:
    told.grow(10)
    with pytest.raises(DoubtError, match=words):
        follow(store, Odd(told.chain, eth_getLogs=changed(change)), network).step(0)
    assert _empty(store)


def _empty(store: Store) -> bool:
    from sqlalchemy import func, select

    from milestone_escrow.oracle.store import tables as t

    with store.reading() as connection:
        tables = (t.events, t.cursor, t.agreements, t.milestones, t.blocks)
        return not any(
            connection.execute(select(func.count()).select_from(table)).scalar() for table in tables
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [("parentHash", "0x" + "12" * 32), ("timestamp", "0x1"), ("logsBloom", "0x" + "00" * 256)],
)
def test_a_header_whose_hash_is_not_its_own_is_refused(
    store: Store, told: Told, network: Network, field: str, value: str
) -> None:
    told.grow(5)
    node = Odd(told.chain, eth_getBlockByNumber=lambda _, truth: {**truth(), field: value})
    with pytest.raises(DoubtError, match="not its own"):
        follow(store, node, network).step(0)


def test_a_header_with_fields_of_the_future_is_taken_at_its_word(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(5)
    node = Odd(
        told.chain,
        eth_getBlockByNumber=lambda _, truth: {
            **truth(), "extraData": "0x1234", "slotNumber": "0x5"
        },
    )  # fmt: skip
    follow(store, node, network).catch_up(0)
    assert held(store)["cursor"][0] == 5


def test_another_block_than_was_asked_for_is_refused(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(5)
    first = told.chain.request("eth_getBlockByNumber", ["0x1", False])
    node = Odd(
        told.chain,
        eth_getBlockByNumber=lambda p, truth: first if p[0] == "0x2" else truth(),
    )
    with pytest.raises(DoubtError, match="asked for block 2"):
        follow(store, node, network).step(0)


def test_a_node_that_loses_blocks_while_it_is_read_does_not_make_a_gap(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(10)
    state = {"lags": False}

    def logs(_: Any, truth: Truth) -> Any:
        state["lags"] = True
        return []

    def block(params: Any, truth: Truth) -> Any:
        return None if state["lags"] and params[0] == "0xa" else truth()

    node = Odd(told.chain, eth_getLogs=logs, eth_getBlockByNumber=block)
    with pytest.raises(DoubtError, match="does not give it"):
        follow(store, node, network).step(0)
    assert _empty(store)


def test_a_fork_while_blocks_are_read_is_noticed(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(10)
    forked: list[int] = []

    def logs(_: Any, truth: Truth) -> Any:
        if not forked:
            forked.append(1)
            told.fork(4)
            told.grow(4)
        return truth()

    follow(store, Odd(told.chain, eth_getLogs=logs), network).step(0)
    assert_true(store, told.chain)
    assert held(store)["cursor"][0] == 10


def test_doubled_and_shuffled_logs_are_taken_once_and_in_order(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(20)
    node = Odd(
        told.chain,
        eth_getLogs=lambda _, truth: list(reversed([*truth(), *truth()])),
        eth_getBlockReceipts=no_receipts,
    )
    follow(store, node, network).catch_up(0)
    assert_true(store, told.chain)


def test_the_wrong_chain_is_refused(store: Store, told: Told, network: Network) -> None:
    told.chain.chain_id = 1
    with pytest.raises(ChainError, match="is on chain 1, but Ours is chain 31337"):
        follow(store, told.chain, network).step(0)


@pytest.mark.parametrize(
    "error", [ChainError("did not answer within 20 seconds"), LimitedError("n", "HTTP status 429")]
)
def test_a_node_that_does_not_answer_is_an_error_and_changes_nothing(
    store: Store, told: Told, network: Network, error: Exception
) -> None:
    told.grow(5)
    with pytest.raises(ChainError):
        follow(store, Odd(told.chain, eth_getLogs=error), network).step(0)
    assert _empty(store)


def test_ranges_shrink_to_what_the_node_takes_and_grow_again(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(60)
    narrow = Liar(told.chain, 0, 0.0, widest=3)
    indexer = follow(store, narrow, network)
    indexer.catch_up(0)
    assert_true(store, told.chain)
    refused = [q for q in _widths(narrow.asked) if q > 3]
    assert len(refused) < 8  # not asked in vain each time
    narrow.widest = 1_000
    narrow.asked.clear()
    told.grow(120)
    indexer.catch_up(0)
    assert max(_widths(narrow.asked)) > 3
    assert_true(store, told.chain)


def test_the_width_that_a_node_takes_is_remembered(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(60)
    narrow = Liar(told.chain, 0, 0.0, widest=3)
    follow(store, narrow, network).step(0)
    narrow.asked.clear()
    follow(store, narrow, network).step(0)
    assert max(_widths(narrow.asked)) <= 3


def _widths(asked: Sequence[tuple[str, Any]]) -> list[int]:
    return [
        int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
        for method, params in asked
        if method == "eth_getLogs" and "fromBlock" in params[0]
    ]


def test_another_endpoint_takes_over_from_a_liar(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(20)
    liar = Odd(
        told.chain, eth_getBlockByNumber=lambda _, truth: {**truth(), "nonce": "0x" + "1" * 16}
    )
    both = Endpoints([liar, told.chain], network, clock=lambda: 0.0)
    follow(store, both, network).step(0)
    assert_true(store, told.chain)
    assert [bool(health.trouble) for health in both.health()] == [True, False]
