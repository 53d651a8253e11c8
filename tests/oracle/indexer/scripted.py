"""A chain of ours with true hashes, blooms and receipts, that forks when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak
from rlp import encode

from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, RpcError
from milestone_escrow.chain.proofs.blooms import bloom_of
from milestone_escrow.chain.proofs.tries import Trie
from tests.oracle.indexer.story import START, Written

CHAIN_ID = 31337
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TOKEN = "0x0000000000000000000000000000000000000064"
OTHER = (TOKEN, ([b"\7" * 32, b"\1" * 32], b""))


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def raw(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


@dataclass(frozen=True)
class Block:
    """A block as JSON-RPC has it, with its receipts."""

    view: dict[str, Any]
    receipts: list[dict[str, Any]]

    @property
    def hash(self) -> str:
        return str(self.view["hash"])

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [log for receipt in self.receipts for log in receipt["logs"]]


class ScriptedChain:
    """Blocks with logs of the contract and of a token. `branch` makes sisters differ."""

    host = "scripted"

    def __init__(self, *, chain_id: int = CHAIN_ID, first: int = 0, branch: int = 0) -> None:
        self.chain_id = chain_id
        self.blocks: list[Block] = []
        self.first = first
        self.branch = branch
        self.mine([])

    @property
    def head(self) -> int:
        return self.first + len(self.blocks) - 1

    def mine(self, *transactions: Sequence[Written], time: int | None = None) -> Block:
        """A block; each transaction is what the contract logs in it."""
        number = self.first + len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else hexed(bytes(32))
        receipts, views, index, used = [], [], 0, 0
        for at, logs in enumerate(transactions):
            both = [*((CONTRACT, log) for log in logs), *([OTHER] if len(logs) % 2 else [])]
            topics = [t for _, (topics, _) in both for t in topics]
            bloom = bloom_of([*(bytes.fromhex(a[2:]) for a, _ in both), *topics])
            used += 50_000
            body = [[bytes.fromhex(a[2:]), list(topics), data] for a, (topics, data) in both]
            fields = [b"\1", raw(used), bloom.to_bytes(256, "big"), body]
            receipts.append(b"\2" + encode(fields))
            name = keccak(f"{self.branch}/{number}/{at}".encode())
            written = []
            for address, (topics, data) in both:
                written.append(
                    {
                        "address": address.lower(),
                        "topics": [hexed(topic) for topic in topics],
                        "data": hexed(data),
                        "blockNumber": hex(number),
                        "transactionHash": hexed(name),
                        "transactionIndex": hex(at),
                        "logIndex": hex(index),
                        "removed": False,
                    }
                )
                index += 1
            views.append(
                {
                    "type": "0x2",
                    "status": "0x1",
                    "cumulativeGasUsed": hex(used),
                    "logsBloom": hexed(bloom.to_bytes(256, "big")),
                    "transactionHash": hexed(name),
                    "logs": written,
                }
            )
        view = self._header(number, parent, Trie(receipts).root, views, time)
        for receipt in views:
            receipt["blockHash"] = view["hash"]
            for log in receipt["logs"]:
                log["blockHash"] = view["hash"]
        self.blocks.append(Block(view, views))
        return self.blocks[-1]

    def fork(self, back: int) -> None:
        """Forget the last `back` blocks; what is mined from now on is of another branch."""
        del self.blocks[len(self.blocks) - back :]
        self.branch += 1

    def block(self, number: int) -> Block | None:
        at = number - self.first
        return self.blocks[at] if 0 <= at < len(self.blocks) else None

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_blockNumber":
            return hex(self.head)
        if method == "eth_getBlockByNumber":
            found = self.block(self._number(params[0]))
            return dict(found.view) if found else None
        if method == "eth_getBlockReceipts":
            found = self.block(self._number(params[0]))
            return found.receipts if found else None
        if method == "eth_getLogs":
            return self._logs(params[0])
        raise RpcError(f"the method {method} does not exist", code=METHOD_NOT_FOUND)

    def _number(self, name: object) -> int:
        if name in ("latest", "finalized"):
            return self.head
        return int(str(name), 16)

    def _logs(self, query: Any) -> list[dict[str, Any]]:
        if "blockHash" in query:
            blocks = [block for block in self.blocks if block.hash == query["blockHash"]]
            if not blocks:
                raise RpcError("unknown block")
        else:
            first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
            blocks = [b for b in map(self.block, range(first, last + 1)) if b]
        address = query["address"].lower()
        return [dict(log) for block in blocks for log in block.logs if log["address"] == address]

    def _header(
        self,
        number: int,
        parent: str,
        root: bytes,
        receipts: Sequence[dict[str, Any]],
        time: int | None,
    ) -> dict[str, Any]:
        bloom = 0
        for receipt in receipts:
            bloom |= int(receipt["logsBloom"], 16)
        view: dict[str, Any] = {
            "parentHash": parent,
            "sha3Uncles": hexed(bytes(32)),
            "miner": hexed(bytes(20)),
            "stateRoot": hexed(bytes(32)),
            "transactionsRoot": hexed(bytes(32)),
            "receiptsRoot": hexed(root),
            "logsBloom": hexed(bloom.to_bytes(256, "big")),
            "difficulty": "0x0",
            "number": hex(number),
            "gasLimit": hex(30_000_000),
            "gasUsed": hex(0),
            "timestamp": hex(START + 12 * number if time is None else time),
            "extraData": hexed(str(self.branch).encode()),
            "mixHash": hexed(bytes(32)),
            "nonce": hexed(bytes(8)),
            "baseFeePerGas": "0x7",
        }
        numbers = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas")
        values = [
            raw(int(value, 16)) if name in numbers else bytes.fromhex(value[2:])
            for name, value in view.items()
        ]
        view["hash"] = hexed(keccak(encode(values)))
        return {**view, "transactions": [], "uncles": [], "size": "0x1"}
