"""A contract's logs over many blocks: asked in ranges as wide as the node lets them be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from milestone_escrow.chain.node.landmarks import Landmarks
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address

Watcher: TypeAlias = Callable[[int, int], None]
"""Told after each answer how many blocks were read, and of how many."""


@dataclass(frozen=True, slots=True)
class Top:
    """A latest block: what was read up to it stays true as long as it is the latest."""

    number: int
    hash: str


class LogReader:
    """Reads logs of one contract from one node, any number of times."""

    def __init__(self, node: Node, contract: Address, landmarks: Landmarks) -> None:
        self.landmarks = landmarks
        self.watch: Watcher = lambda done, of: None
        self._node = node
        self._contract = contract

    def head(self) -> Top:
        """The latest block.

        Raises:
            ChainError: the node has none.
        """
        block = self._node.request("eth_getBlockByNumber", ["latest", False])
        try:
            return Top(int(block["number"], 16), str(block["hash"]))
        except (TypeError, KeyError, ValueError):
            raise ChainError(
                "the node has no latest block", hint="wait until it has synced"
            ) from None

    def read(self, topics: Sequence[object], first: int, last: int) -> Iterator[dict[str, Any]]:
        """The logs of blocks `first` to `last` that have these topics, in order.

        Takes about (last - first) ÷ width requests, whatever the node's limit is.

        Raises:
            ChainError: the node does not answer, or refuses even a single block.
        """
        width, at = self.landmarks.width, first
        while at <= last:
            asked = min(width.blocks, last - at + 1)
            query = {
                "address": self._contract,
                "topics": list(topics),
                "fromBlock": hex(at),
                "toBlock": hex(at + asked - 1),
            }
            try:
                logs = self._node.request("eth_getLogs", [query])
            except RpcError:
                # Too many results, too wide, too slow: nodes have many words for it.
                if not width.shrink(asked):
                    raise
                continue
            width.answered(asked)
            at += asked
            self.watch(at - first, last - first + 1)
            yield from logs
        self.landmarks.learnt()
