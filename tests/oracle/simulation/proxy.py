"""The oracle's way to the chain: a proxy that loses, repeats, delays and misunderstands.

It says nothing that only a forger would say: logs and headers that do not fit their hashes are the
indexer's own tests. It does what bad nodes, bad networks and load balancers do.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from milestone_escrow.chain.node.rpc import LimitedError, Node, RpcError
from milestone_escrow.errors import ChainError

_HEADS = ("latest", "finalized")


class LyingProxy:
    """Lies about the share `rate` of the questions; `told` counts its lies by name."""

    def __init__(self, node: Node, seed: int, rate: float, *, widest: int) -> None:
        self.node = node
        self.rate = rate
        self.widest = widest
        self.told: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._before: dict[str, Any] = {}

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        if method == "eth_getLogs":
            self._require_narrow(params[0])
        if self._random.random() < self.rate:
            lie = self._random.choice(_LIES.get(method, ()) + _COMMON)
            self.told[lie] += 1
            return getattr(self, f"_{lie}")(method, params)
        return self._truth(method, params)

    def _truth(self, method: str, params: Sequence[object]) -> Any:
        answer = self.node.request(method, params)
        self._before[f"{method}{params}"] = copy.deepcopy(answer)
        return answer

    def _require_narrow(self, query: Any) -> None:
        if self.rate and "fromBlock" in query:
            blocks = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
            if blocks > self.widest:
                raise RpcError(f"block range too wide: at most {self.widest}", code=-32005)

    # For every question

    def _lost(self, method: str, params: Sequence[object]) -> Any:
        """It never reaches the node."""
        raise ChainError("the node did not answer within 20 seconds")

    def _dropped(self, method: str, params: Sequence[object]) -> Any:
        """The node did what it was asked, and nobody hears of it."""
        with contextlib.suppress(ChainError):
            self.node.request(method, params)
        raise ChainError("the node did not answer within 20 seconds")

    def _limited(self, method: str, params: Sequence[object]) -> Any:
        raise LimitedError("proxy", "HTTP status 429")

    def _repeated(self, method: str, params: Sequence[object]) -> Any:
        """What was true the last time that somebody asked this."""
        key = f"{method}{params}"
        if key in self._before:
            return copy.deepcopy(self._before[key])
        return self._truth(method, params)

    # For some

    def _nothing(self, method: str, params: Sequence[object]) -> Any:
        """No such receipt, transaction or block, though there is."""
        return None

    def _twice(self, method: str, params: Sequence[object]) -> Any:
        """A retry in between sends it once more, and tells what the second attempt met."""
        self.node.request(method, params)
        return self.node.request(method, params)

    def _other_chain(self, method: str, params: Sequence[object]) -> Any:
        return "0x1"

    def _stale(self, method: str, params: Sequence[object]) -> Any:
        """A node behind the load balancer that lags."""
        answer = self._truth(method, params)
        back = self._random.randrange(1, 6)
        if method == "eth_blockNumber":
            return hex(max(int(answer, 16) - back, 0))
        if answer and params[0] in _HEADS:
            number = max(int(answer["number"], 16) - back, 0)
            return self.node.request(method, [hex(number), *params[1:]])
        return answer

    def _behind(self, method: str, params: Sequence[object]) -> Any:
        """A count of transactions from some blocks ago."""
        head = int(self.node.request("eth_blockNumber"), 16)
        return self.node.request(method, [params[0], hex(max(head - 2, 0))])

    def _missing(self, method: str, params: Sequence[object]) -> Any:
        answer = self._truth(method, params)
        return [part for part in answer or () if self._random.random() < 0.5]


_COMMON = ("lost", "dropped", "limited", "repeated")
_LIES: dict[str, tuple[str, ...]] = {
    "eth_blockNumber": ("stale", "stale"),
    "eth_chainId": ("other_chain",),
    "eth_getBlockByNumber": ("stale", "stale", "nothing"),
    "eth_getBlockByHash": ("nothing",),
    "eth_getBlockReceipts": ("nothing", "missing"),
    "eth_getLogs": ("missing", "missing"),
    "eth_getTransactionByHash": ("nothing", "nothing"),
    "eth_getTransactionCount": ("behind", "behind"),
    "eth_getTransactionReceipt": ("nothing", "nothing", "nothing"),
    "eth_sendRawTransaction": ("twice", "dropped", "dropped"),
}
