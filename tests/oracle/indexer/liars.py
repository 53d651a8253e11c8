"""Nodes that do what bad nodes do: lag, forget, repeat, refuse, and tell what is not so."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

from milestone_escrow.chain.node.rpc import LimitedError, Node, RpcError
from milestone_escrow.errors import ChainError

HEADS = ("latest", "finalized")


class Liar:
    """Lies with a probability, about what was asked; honest where `rate` is 0."""

    def __init__(self, node: Node, seed: int, rate: float = 0.2, *, widest: int = 10_000) -> None:
        self.node = node
        self.rate = rate
        self.widest = widest
        self.random = random.Random(seed)
        self.last: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        self.asked.append((method, params))
        if method == "eth_getLogs":
            self._require_narrow(params[0])
        truth = copy.deepcopy(self.node.request(method, params))
        if self.random.random() >= self.rate:
            self.last[method] = truth
            return truth
        lies: list[Callable[[str, Sequence[object], Any], Any]] = [
            self._silent, self._limited, self._repeat,
        ]  # fmt: skip
        if method == "eth_getLogs":
            lies += [self._missing, self._missing, self._doubled, self._shuffled, self._flipped]
        if method == "eth_getBlockByNumber":
            lies += [self._stale, self._nothing, self._orphan, self._bloomless]
        if method == "eth_chainId":
            lies += [lambda *_: "0x1"]
        if method == "eth_getBlockReceipts":
            lies += [self._nothing, self._missing]
        return self.random.choice(lies)(method, params, truth)

    def _require_narrow(self, query: Any) -> None:
        if "fromBlock" in query:
            blocks = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
            if blocks > self.widest:
                raise RpcError(f"block range too wide: at most {self.widest}", code=-32005)

    def _silent(self, *_: Any) -> Any:
        raise ChainError("the node did not answer within 20 seconds")

    def _limited(self, *_: Any) -> Any:
        raise LimitedError("a liar", "HTTP status 429")

    def _repeat(self, method: str, _: Any, truth: Any) -> Any:
        return copy.deepcopy(self.last.get(method, truth))

    def _nothing(self, *_: Any) -> Any:
        return None

    def _missing(self, _: str, __: Any, truth: list[Any]) -> Any:
        return [part for part in truth if self.random.random() < 0.5]

    def _doubled(self, _: str, __: Any, truth: list[Any]) -> Any:
        return [*truth, *truth]

    def _shuffled(self, _: str, __: Any, truth: list[Any]) -> Any:
        return self.random.sample(truth, len(truth))

    def _flipped(self, _: str, __: Any, truth: list[Any]) -> Any:
        for log in truth[:1]:
            log["data"] = log["data"][:-1] + ("0" if log["data"][-1] != "0" else "1")
        return truth

    def _stale(self, _: str, params: Sequence[object], truth: Any) -> Any:
        if params[0] not in HEADS:
            return truth
        number = max(int(truth["number"], 16) - self.random.randrange(1, 5), 0)
        return self.node.request("eth_getBlockByNumber", [hex(number), False])

    def _orphan(self, _: str, __: Any, truth: Any) -> Any:
        return truth and {**truth, "parentHash": "0x" + "11" * 32}

    def _bloomless(self, _: str, __: Any, truth: Any) -> Any:
        return truth and {**truth, "logsBloom": "0x" + "00" * 256}
