"""Merkle-Patricia tries of a block's transactions and receipts: roots, and proofs of one entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rlp

from milestone_escrow.errors import EscrowError

EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")


class Trie:
    """The trie of a list, keyed by place, as block headers commit to it."""

    def __init__(self, items: Sequence[bytes]) -> None:
        self._trie = _library()({})
        for index, item in enumerate(items):
            self._trie[_key(index)] = item

    @property
    def root(self) -> bytes:
        return bytes(self._trie.root_hash)

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The nodes from the root down to an entry, each as its RLP."""
        return tuple(bytes(rlp.encode(node)) for node in self._trie.get_proof(_key(index)))


def proven(root: bytes, index: int, proof: Sequence[bytes]) -> bytes:
    """The entry that a proof shows at `index` under `root`.

    Raises:
        EscrowError: it shows none.
    """
    try:
        nodes = [rlp.decode(node) for node in proof]
        found = _library().get_from_proof(root, _key(index), nodes)
    except Exception as error:  # whatever a forged node makes the library stumble over
        raise EscrowError(f"the proof of entry {index} does not lead to its root") from error
    if not found:
        raise EscrowError(f"the proof of entry {index} shows that there is none")
    return bytes(found)


def _library() -> Any:
    from trie.hexary import HexaryTrie

    return HexaryTrie


def _key(index: int) -> bytes:
    return bytes(rlp.encode(index))
