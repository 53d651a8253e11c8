"""A node with a mempool in front of the embedded chain: it mines, drops and reorgs when told to.

    node = Mempool(escrow.chain)
    node.request("eth_sendRawTransaction", [raw])   # waits
    node.mine()                                     # all that can be mined, then an empty block
    node.reorg(3)                                   # three blocks undone and built anew

What only a test can choose of a chain is an attribute: `tip` for what blocks want on top of the
base fee (what offers less waits), `strict` for a node that takes no nonce but the next (as rollups
do), `final_depth` for how far the finalized head lags, `keeps_undone` for whether transactions of
undone blocks wait again. Lies are told by `tests.support.nodes.Odd` in front of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.rpc import RpcError

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction that is in no block."""

    hash: str
    raw: bytes
    sender: bytes
    nonce: int
    to: bytes
    data: bytes
    value: int
    gas: int
    max_fee: int
    tip: int

    def pays(self, base: int, tip: int) -> bool:
        """Whether a block takes it."""
        return self.max_fee >= base and min(self.tip, self.max_fee - base) >= tip

    def replaces(self, other: Waiting) -> bool:
        """Whether it offers the tenth more that nodes ask for."""
        return self.max_fee * 10 >= other.max_fee * 11 and self.tip * 10 >= other.tip * 11


class Mempool:
    """Answers JSON-RPC as the chain behind it, but what is sent to it waits. Thread-safe."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self.chain = chain
        self.tip = GWEI
        self.strict = False
        self.final_depth = 0
        self.keeps_undone = True
        self.waiting: dict[str, Waiting] = {}
        self.seen: list[bytes] = []
        """Every raw transaction that was ever handed in, refused ones too, in order."""
        self._lock = threading.RLock()
        self._forks = 0
        self._snapshots = {chain.head.number: chain.snapshot()}

    # As a node

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        with self._lock:
            own = _OWN.get(method)
            return own(self, *params) if own else self.chain.request(method, params)

    def _send(self, raw: str) -> str:
        found = self._decode(bytes.fromhex(raw[2:]))
        self.seen.append(found.raw)
        if found.hash in self.waiting or self.chain.find(bytes.fromhex(found.hash[2:])):
            raise RpcError("already known")
        state = self.chain.state()
        expected = state.get_nonce(found.sender)
        if found.nonce < expected:
            raise RpcError(f"nonce too low: next nonce {expected}, tx nonce {found.nonce}")
        if self.strict and found.nonce > self._next(found.sender):
            raise RpcError(f"nonce too high: next nonce {expected}, tx nonce {found.nonce}")
        if state.get_balance(found.sender) < found.value + found.gas * found.max_fee:
            raise RpcError("insufficient funds for gas * price + value")
        rival = self._at(found.sender, found.nonce)
        if rival is not None:
            if not found.replaces(rival):
                raise RpcError("replacement transaction underpriced")
            del self.waiting[rival.hash]
        self.waiting[found.hash] = found
        return found.hash

    def _transaction(self, transaction: str) -> Any:
        found = self.waiting.get(transaction)
        if found is None:
            return self.chain.request("eth_getTransactionByHash", [transaction])
        return {
            "hash": found.hash,
            "type": "0x2",
            "from": "0x" + found.sender.hex(),
            "to": "0x" + found.to.hex() if found.to else None,
            "nonce": hex(found.nonce),
            "value": hex(found.value),
            "gas": hex(found.gas),
            "maxFeePerGas": hex(found.max_fee),
            "maxPriorityFeePerGas": hex(found.tip),
            "input": "0x" + found.data.hex(),
            "blockHash": None,
            "blockNumber": None,
        }

    def _count(self, account: str, block: object = "latest") -> str:
        if block == "pending":
            return hex(self._next(bytes.fromhex(account[2:])))
        return str(self.chain.request("eth_getTransactionCount", [account, self._name(block)]))

    def _block(self, block: object, full: bool = False) -> Any:
        return self.chain.request("eth_getBlockByNumber", [self._name(block), full])

    def _priority_fee(self) -> str:
        return hex(self.tip)

    def _gas_price(self) -> str:
        return hex(self._base() + self.tip)

    # As the test's hand

    @property
    def head(self) -> int:
        return self.chain.head.number

    def mine(self, *only: str) -> list[str]:
        """Put what can be mined into blocks of its own each, or `only` some, then an empty block.

        Nonces go in order, what offers too little waits, what cannot pay is thrown out. Returns
        the hashes mined.
        """
        mined: list[str] = []
        with self._lock:
            while chosen := self._next_mined(only):
                del self.waiting[chosen.hash]
                try:
                    self.chain.send_raw(chosen.raw)
                except RpcError:
                    continue
                mined.append(chosen.hash)
                self._remember()
            self.empty()
        return mined

    def empty(self, blocks: int = 1) -> None:
        """Blocks with nothing in them."""
        with self._lock:
            for _ in range(blocks):
                self.chain.mine()
                self._remember()

    def drop(self, *hashes: str) -> None:
        """Forget what waits, or some of it, as nodes do when they are full or restarted."""
        with self._lock:
            for one in hashes or list(self.waiting):
                self.waiting.pop(one, None)

    def reorg(self, depth: int, *, grow: int = 1) -> list[str]:
        """Undo `depth` blocks and build as many others, all empty, and `grow` more.

        Returns the hashes of the transactions that are in no block any more; with `keeps_undone`
        they wait again.
        """
        with self._lock:
            height = self.chain.head.number - depth
            blocks = [self.chain.block(n) for n in range(height + 1, self.chain.head.number + 1)]
            undone = [tx for block in blocks if block for tx in block.transactions]
            self._return_to(height)
            self._forks += 1
            # Another time makes another hash; without it the very same blocks would come again.
            self.chain.skip(1 + self._forks % 7)
            self.empty(depth + grow)
            again = [self._decode(tx.raw.encode()) for tx in undone] if self.keeps_undone else []
            for one in again:
                self.waiting.setdefault(one.hash, one)
            return ["0x" + tx.hash.hex() for tx in undone]

    # Details

    def _base(self) -> int:
        return int(self.chain.head.header.base_fee_per_gas)

    def _name(self, block: object) -> object:
        if block in ("finalized", "safe"):
            return hex(max(0, self.chain.head.number - self.final_depth))
        return block

    def _at(self, sender: bytes, nonce: int) -> Waiting | None:
        rivals = (w for w in self.waiting.values() if (w.sender, w.nonce) == (sender, nonce))
        return next(rivals, None)

    def _next(self, sender: bytes) -> int:
        nonce = int(self.chain.state().get_nonce(sender))
        while self._at(sender, nonce):
            nonce += 1
        return nonce

    def _next_mined(self, only: Sequence[str]) -> Waiting | None:
        state = self.chain.state()
        for one in self.waiting.values():
            if only and one.hash not in only:
                continue
            if one.nonce == state.get_nonce(one.sender) and one.pays(self._base(), self.tip):
                return one
        return None

    def _remember(self) -> None:
        self._snapshots[self.chain.head.number] = self.chain.snapshot()

    def _return_to(self, height: int) -> None:
        if height not in self._snapshots:
            raise ValueError(f"block {height} was there before the mempool was")
        self.chain.revert(self._snapshots[height])
        self._snapshots = {n: s for n, s in self._snapshots.items() if n < height}
        self._remember()

    def _decode(self, raw: bytes) -> Waiting:
        builder = self.chain._chain.get_transaction_builder()
        decoded = builder.decode(raw)
        return Waiting(
            hash="0x" + keccak(raw).hex(),
            raw=raw,
            sender=bytes(decoded.sender),
            nonce=int(decoded.nonce),
            to=bytes(decoded.to),
            data=bytes(decoded.data),
            value=int(decoded.value),
            gas=int(decoded.gas),
            max_fee=int(decoded.max_fee_per_gas),
            tip=int(decoded.max_priority_fee_per_gas),
        )


_OWN: dict[str, Callable[..., Any]] = {
    "eth_sendRawTransaction": Mempool._send,
    "eth_getTransactionByHash": Mempool._transaction,
    "eth_getTransactionCount": Mempool._count,
    "eth_getBlockByNumber": Mempool._block,
    "eth_maxPriorityFeePerGas": Mempool._priority_fee,
    "eth_gasPrice": Mempool._gas_price,
}
