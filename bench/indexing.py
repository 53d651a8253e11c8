"""How fast the indexer reads: events from JSON to committed row, and how that grows.

A node in this process answers with JSON text, so what is measured is reading it, checking it,
decoding, working out agreements and milestones, and committing to SQLite with full sync. The
peers' figure is web3.py's `get_logs` and event processing alone, without a database.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak
from rlp import encode as rlp_encode

from bench.harness import Row
from milestone_escrow.chain.codec import interface
from milestone_escrow.chain.headers import bloom_of
from milestone_escrow.chain.networks import Network
from milestone_escrow.chain.rpc import METHOD_NOT_FOUND, RpcError

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CHAIN_ID = 31337
START = 1_800_000_000
PEERS = {"web3.py, slowest": 1_930, "web3.py, fastest": 2_586}
PER_AGREEMENT = 10
PER_BLOCK = 200
FEW, MANY = 1_000, 100_000

TOPICS = {entry.name: topic for topic, entry in interface("MilestoneEscrow").events.items()}
TERMS = (
    "(address,address,address,address,address[],uint32,uint32,uint32,uint16,address,uint16,"
    "bytes32,uint256)"
)
STAGES = "(uint128,uint64,bool,uint32,uint8,bytes32)[]"


class JsonNode:
    """Blocks as JSON text, as they come over the wire."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.logs: list[list[dict[str, Any]]] = []
        self.parent = bytes(32)
        self.ranges: dict[tuple[int, int], str] = {}
        self.single: dict[str, str] = {}

    def mine(self, logs: Sequence[tuple[list[bytes], bytes]]) -> None:
        number = len(self.blocks)
        address = bytes.fromhex(CONTRACT[2:])
        bloom = bloom_of([address, *(topic for topics, _ in logs for topic in topics)])
        fields: dict[str, Any] = {
            "parentHash": self.parent, "sha3Uncles": bytes(32), "miner": bytes(20),
            "stateRoot": bytes(32), "transactionsRoot": bytes(32), "receiptsRoot": bytes(32),
            "logsBloom": bloom.to_bytes(256, "big"), "difficulty": 0, "number": number,
            "gasLimit": 30_000_000, "gasUsed": 0, "timestamp": START + 12 * number,
            "extraData": b"", "mixHash": bytes(32), "nonce": bytes(8), "baseFeePerGas": 7,
        }  # fmt: skip
        self.parent = keccak(rlp_encode([_bytes(value) for value in fields.values()]))
        view = {name: _json(value) for name, value in fields.items()}
        view |= {"hash": _json(self.parent), "transactions": [], "uncles": [], "size": "0x1"}
        self.blocks.append(json.dumps(view))
        self.logs.append(
            [
                {
                    "address": CONTRACT.lower(),
                    "topics": [_json(topic) for topic in topics],
                    "data": _json(data),
                    "blockNumber": hex(number),
                    "blockHash": view["hash"],
                    "blockTimestamp": view["timestamp"],
                    "transactionHash": _json(keccak(f"{number}/{index}".encode())),
                    "transactionIndex": hex(index),
                    "logIndex": hex(index),
                    "removed": False,
                }
                for index, (topics, data) in enumerate(logs)
            ]
        )

    def write(self, blocks: int) -> None:
        """Put into text what will be asked for, so that writing it is not measured."""
        for first in range(0, len(self.blocks), blocks):
            last = min(first + blocks, len(self.blocks)) - 1
            found = [log for logs in self.logs[first : last + 1] for log in logs]
            self.ranges[first, last] = json.dumps(found)
        self.single = {logs[0]["blockHash"]: json.dumps(logs) for logs in self.logs if logs}
        self.logs.clear()

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_chainId":
            return hex(CHAIN_ID)
        if method == "eth_getBlockByNumber":
            number = len(self.blocks) - 1 if params[0] == "latest" else int(params[0], 16)
            return json.loads(self.blocks[number])
        if method == "eth_getLogs" and "blockHash" in params[0]:
            return json.loads(self.single[params[0]["blockHash"]])
        if method == "eth_getLogs":
            asked = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            return json.loads(self.ranges[asked])
        raise RpcError(f"the method {method} does not exist", code=METHOD_NOT_FOUND)


def chain(milestones: int) -> JsonNode:
    """Agreements of ten milestones, opened and funded, each milestone attested and paid."""
    node = JsonNode()
    logs: list[tuple[list[bytes], bytes]] = []
    for number in range(milestones // PER_AGREEMENT):
        logs += _life(number)
        while len(logs) >= PER_BLOCK:
            node.mine(logs[:PER_BLOCK])
            del logs[:PER_BLOCK]
    node.mine(logs)
    return node


def _life(number: int) -> Iterator[tuple[list[bytes], bytes]]:
    agreement_id = keccak(b"agreement %d" % number)
    buyer, supplier = (_account(kind + number % 500) for kind in (1_000, 2_000))
    terms = (
        buyer, supplier, _account(1), _account(2), [_account(3), _account(4)], 0, 0, 2_592_000,
        0, _account(0), 0, agreement_id, number,
    )  # fmt: skip
    stages = [(1_000_000, START + 10**7, False, 3, 2, agreement_id)] * PER_AGREEMENT
    yield (
        [TOPICS["AgreementOpened"], agreement_id, _word(buyer), _word(supplier)],
        encode([TERMS, STAGES], [terms, stages]),
    )
    yield (
        [TOPICS["MilestonesFunded"], agreement_id, _word(buyer)],
        encode(["uint256", "uint256"], [2**PER_AGREEMENT - 1, 10_000_000]),
    )
    for index in range(PER_AGREEMENT):
        place = index.to_bytes(32, "big")
        yield (
            [TOPICS["MilestoneAttested"], agreement_id, place],
            encode(
                ["uint8", "uint128", "bytes32", "uint64", "uint256", "uint256"],
                [1, 1_000_000, keccak(place + agreement_id), START, 3, START],
            ),
        )
        yield (
            [TOPICS["MilestonePaid"], agreement_id, place, _word(supplier)],
            encode(["uint256"] * 3, [1_000_000, 0, 0]),
        )


def measure(milestones: int) -> dict[str, float]:
    """In this process: events per second, and what memory the indexer itself came to take."""
    from milestone_escrow.oracle.indexer.indexer import Indexer
    from milestone_escrow.oracle.indexer.limits import Limits
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.eip712 import Domain

    node = chain(milestones)
    limits = Limits(blocks=16, widest=16, attempts=1, proves=False)
    node.write(limits.blocks)
    network = Network("bench", "Bench", CHAIN_ID, local=True, confirmations=13)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "oracle.db", Domain(CHAIN_ID, CONTRACT))
        indexer = Indexer(store, node, network, CONTRACT, limits=limits)
        memory = _resident()
        events, steps = 0, []
        start = time.process_time()
        wall = time.perf_counter()
        while True:
            before = time.perf_counter()
            progress = indexer.step(0)
            steps.append((time.perf_counter() - before, progress.events))
            events += progress.events
            if progress.caught_up:
                break
        wall, used = time.perf_counter() - wall, time.process_time() - start
        grown = _resident() - memory
        store.close()
    full = [(seconds, found) for seconds, found in steps if found >= PER_BLOCK]
    last = full[-10:]
    return {
        "per second": events / wall,
        "per core second": events / used,
        "late": sum(found for _, found in last) / sum(seconds for seconds, _ in last),
        "memory": grown / 2**20,
    }


def rows() -> Iterator[Row]:
    few, many = (_apart(milestones) for milestones in (FEW, MANY))
    yield Row(
        f"events indexed, JSON to committed row, {MANY:,} milestones",
        round(many["per second"]), "events/s", ">= 20000", PEERS,
    )  # fmt: skip
    yield Row(
        "the same per second of a core, without waiting for the disk",
        round(many["per core second"]), "events/s", "", PEERS,
    )  # fmt: skip
    yield Row(f"events indexed, {FEW:,} milestones", round(few["per second"]), "events/s")
    yield Row(
        f"the last of {MANY:,} milestones / all of {FEW:,}",
        round(many["late"] / few["per second"], 2), "times",
    )  # fmt: skip
    yield Row(
        f"memory that indexing {MANY:,} milestones takes", round(many["memory"], 1), "MB", "<= 200"
    )
    yield Row(f"memory that indexing {FEW:,} milestones takes", round(few["memory"], 1), "MB")


def _apart(milestones: int) -> dict[str, float]:
    """Measured in a process of its own, so that one does not weigh on the other's memory."""
    command = [sys.executable, "-m", "bench.indexing", str(milestones)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # no Linux: the most it ever was
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    return pages * resource.getpagesize()


def _account(number: int) -> str:
    return f"0x{number:040x}"


def _word(account: str) -> bytes:
    return bytes.fromhex(account[2:]).rjust(32, b"\0")


def _bytes(value: Any) -> bytes:
    if isinstance(value, int):
        return value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes(value)


def _json(value: Any) -> str:
    return hex(value) if isinstance(value, int) else "0x" + bytes(value).hex()


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
