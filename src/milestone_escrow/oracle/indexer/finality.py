"""Up to which block nothing is undone any more."""

from __future__ import annotations

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, Node, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.oracle.indexer.reading import ChainReader, DoubtError

_UNKNOWN_TAG = (METHOD_NOT_FOUND, -32602, -39001)
_UNKNOWN_WORDS = ("not found", "unknown block", "not supported", "invalid block")


class Finality:
    """Asks the node where it knows what is final; else counts the network's confirmations.

    A local chain has a single node that nobody contradicts: there, confirmations alone count, and
    one confirmation is the head itself.
    """

    def __init__(self, network: Network, reader: ChainReader) -> None:
        self._network = network
        self._reader = reader
        self._tagged = False

    def number(self, node: Node, head: int) -> int:
        """The last final block, at most `head`; below the first block where none is.

        Raises:
            ChainError: the node does not say, and the network counts no confirmations.
        """
        if not self._network.local:
            tagged = self._by_tag(node)
            if tagged is not None:
                return min(tagged, head)
        if not self._network.confirmations and not self._network.local:
            raise ChainError(
                f"the node of {self._network.title} does not say what is final",
                hint="set its confirmations in networks.toml, or name another node with --rpc",
            )
        return head - max(self._network.confirmations, 1) + 1

    def _by_tag(self, node: Node) -> int | None:
        try:
            header = self._reader.header(node, "finalized")
        except RpcError as error:
            # Once it knew the tag, an error is only an error.
            if self._tagged or not _says_unknown(error):
                raise
            return None
        if header is None and self._tagged:
            raise DoubtError("the node has forgotten what is final")
        self._tagged = header is not None
        return header.number if header else None


def _says_unknown(error: RpcError) -> bool:
    said = error.message.lower()
    return error.code in _UNKNOWN_TAG or any(words in said for words in _UNKNOWN_WORDS)
