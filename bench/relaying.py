"""How long a complete quorum waits until a node has its transaction.

A store on SQLite that syncs to disk, and Anvil over HTTP as the node. Measured from the moment when
the last signature is committed to the node's answer to the broadcast: planning, simulation, nonce,
signature and its storing lie between. The peers' figures are how often they look, in milliseconds.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from bench.harness import Row
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.oracle.store.store import Store
from tests.oracle.relaying.anvil import on_anvil
from tests.oracle.relaying.world import World, opened
from tests.oracle.support.mempool import Mempool

RUNS = 200
PEERS = {"OpenZeppelin Relayer": 8_000.0, "OP txmgr": 24_000.0}


class Watch:
    """A node that notes when it has taken a transaction."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.asked = 0
        self.taken = 0.0

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        self.asked += 1
        answer = self._node.request(method, params)
        if method == "eth_sendRawTransaction":
            self.taken = time.perf_counter()
            self.before = self.asked
        return answer


def rows() -> Iterator[Row]:
    logging.disable(logging.INFO)
    with on_anvil() as escrow, tempfile.TemporaryDirectory() as folder:
        deals = [opened(escrow, count=10, salt=n) for n in range(RUNS // 10)]
        store = Store.open(Path(folder) / "oracle.db", escrow.domain)
        node = Watch(escrow.node)
        pool = cast(Mempool, escrow.node)
        world = World(escrow, pool, store, escrow.network, node, int(time.time()))
        escrow.node.request("evm_setAutomine", [False])
        relayer = world.relayer()
        world.turn(relayer)
        times, asked = [], []
        for run in range(RUNS):
            world.complete(deals[run // 10], run % 10)
            node.asked, start = 0, time.perf_counter()
            relayer.step()
            times.append(1_000 * (node.taken - start))
            asked.append(node.before)
            if run % 10 == 9:
                for _ in range(4):
                    escrow.node.request("evm_mine")
                world.turn(relayer, 1)
        store.close()
    cuts = statistics.quantiles(times, n=100)
    yield Row("quorum complete to broadcast, p50", round(cuts[49], 1), "ms", "<= 100", PEERS)
    yield Row("quorum complete to broadcast, p99", round(cuts[98], 1), "ms", "<= 1000", PEERS)
    yield Row("questions to the node until then", statistics.median(asked), "requests")
