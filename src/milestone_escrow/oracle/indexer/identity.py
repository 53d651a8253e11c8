"""Whether the node is on the chain that the store follows: by its id, and by its first block."""

from __future__ import annotations

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.errors import ChainError
from milestone_escrow.oracle.indexer.reading import ChainReader


class DeepReorgError(ChainError):
    """The chain has another block where the store knows a final one, or is another chain.
    Nothing was changed."""


class Identity:
    """Looked at once, and again after every error: behind an address there may be another chain
    the next time. `asks_id` is False where that is done for each endpoint already."""

    def __init__(self, network: Network, reader: ChainReader, *, asks_id: bool) -> None:
        self._network = network
        self._reader = reader
        self._asks_id = asks_id
        self._known_id = False
        self.genesis: bytes | None = None

    def forget(self) -> None:
        self._known_id = False
        self.genesis = None

    def require(self, node: Node, genesis: bytes | None) -> None:
        """`genesis` is the first block of the chain that the store follows, where that is known.

        Raises:
            DeepReorgError: the node has another.
            ChainError: the node is on a chain with another id.
        """
        if self._asks_id and not self._known_id:
            self._require_id(node)
        if self.genesis is None:
            self._require_genesis(node, genesis)

    def _require_id(self, node: Node) -> None:
        answer = node.request("eth_chainId")
        try:
            chain_id = int(answer, 16)
        except (TypeError, ValueError):
            raise ChainError("the node does not say which chain it is on") from None
        if chain_id != self._network.chain_id:
            raise ChainError(
                f"the node is on chain {chain_id}, but {self._network.title} is chain "
                f"{self._network.chain_id}",
                hint="name the right network, or another node with --rpc",
            )
        self._known_id = True

    def _require_genesis(self, node: Node, known: bytes | None) -> None:
        """A sandbox that was started anew has the same id, and is another chain."""
        first = self._reader.header(node, 0)
        if first is None:
            return  # it keeps no blocks that old
        if known is not None and first.hash != known:
            raise DeepReorgError(
                f"the node is on another chain with the id {self._network.chain_id}: its first "
                f"block is 0x{first.hash.hex()[:12]}…, the store's 0x{known.hex()[:12]}…",
                hint="name another node, or start a new store with --store",
            )
        self.genesis = first.hash
