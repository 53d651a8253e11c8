"""How fast the indexer reads: events from JSON to committed row, and how that grows.

A node in this process answers with JSON text, so what is measured is reading it, checking it,
decoding, working out agreements and milestones, and committing to SQLite with full sync. The
peers' figures are those of web3.py's `get_logs` and event processing alone, without a database.
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
from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, RpcError
from milestone_escrow.chain.proofs.headers import bloom_of

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CHAIN_ID = 31337
START = 1_800_000_000
PEERS = {"web3.py, slowest": 1_930, "web3.py, fastest": 2_586}
PER_AGREEMENT = 10
PER_BLOCK = 200
AT_ONCE = 16
FEW, SOME, MANY = 1_000, 10_000, 100_000

TOPICS = {entry.name: topic for topic, entry in interface("MilestoneEscrow").events.items()}
TERMS = (
    "(address,address,address,address,address[],uint32,uint32,uint32,uint16,address,uint16,"
    "bytes32,uint256)"
)
STAGES = "(uint128,uint64,bool,uint32,uint8,bytes32)[]"


class Writer:
    """Writes blocks and their logs down as JSON text, as they come over the wire."""

    def __init__(self, folder: Path, at_once: int) -> None:
        self._headers = (folder / "headers").open("w", encoding="ascii")
        self._ranges = (folder / "ranges").open("w", encoding="ascii")
        self._single = (folder / "single").open("w", encoding="ascii")
        self._at_once = at_once
        self._waiting: list[dict[str, Any]] = []
        self._parent = bytes(32)
        self._number = 0

    def mine(self, logs: Sequence[tuple[list[bytes], bytes]]) -> None:
        number = self._number
        address = bytes.fromhex(CONTRACT[2:])
        bloom = bloom_of([address, *(topic for topics, _ in logs for topic in topics)])
        fields: dict[str, Any] = {
            "parentHash": self._parent, "sha3Uncles": bytes(32), "miner": bytes(20),
            "stateRoot": bytes(32), "transactionsRoot": bytes(32), "receiptsRoot": bytes(32),
            "logsBloom": bloom.to_bytes(256, "big"), "difficulty": 0, "number": number,
            "gasLimit": 30_000_000, "gasUsed": 0, "timestamp": START + 12 * number,
            "extraData": b"", "mixHash": bytes(32), "nonce": bytes(8), "baseFeePerGas": 7,
        }  # fmt: skip
        self._parent = keccak(rlp_encode([_bytes(value) for value in fields.values()]))
        view = {name: _json(value) for name, value in fields.items()}
        view |= {"hash": _json(self._parent), "transactions": [], "uncles": [], "size": "0x1"}
        self._headers.write(json.dumps(view) + "\n")
        own = [
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
        self._single.write(json.dumps(own) + "\n")
        self._waiting += own
        self._number += 1
        if self._number % self._at_once == 0:
            self._flush()

    def close(self) -> None:
        self._flush()
        for file in (self._headers, self._ranges, self._single):
            file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._ranges.write(json.dumps(self._waiting) + "\n")
        self._waiting.clear()


class JsonNode:
    """Answers with the lines of these files; holds no more than where each begins."""

    def __init__(self, folder: Path, at_once: int) -> None:
        self._folder = folder
        self._at_once = at_once
        self._begins = {name: _begins(folder / name) for name in ("headers", "ranges", "single")}
        self._by_hash: dict[str, int] = {}

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_chainId":
            return hex(CHAIN_ID)
        if method == "eth_getBlockByNumber":
            last = len(self._begins["headers"]) - 1
            number = last if params[0] == "latest" else int(params[0], 16)
            header = self._line("headers", number)
            self._by_hash[header["hash"]] = number
            return header
        if method == "eth_getLogs" and "blockHash" in params[0]:
            return self._line("single", self._by_hash[params[0]["blockHash"]])
        if method == "eth_getLogs":
            return self._line("ranges", int(params[0]["fromBlock"], 16) // self._at_once)
        raise RpcError(f"the method {method} does not exist", code=METHOD_NOT_FOUND)

    def _line(self, name: str, number: int) -> Any:
        with (self._folder / name).open("rb") as file:
            file.seek(self._begins[name][number])
            return json.loads(file.readline())


def _begins(file: Path) -> list[int]:
    found, at = [], 0
    with file.open("rb") as lines:
        for line in lines:
            found.append(at)
            at += len(line)
    return found


def write(folder: Path, milestones: int) -> None:
    """Agreements of ten milestones, opened and funded, each milestone attested and paid."""
    node = Writer(folder, AT_ONCE)
    logs: list[tuple[list[bytes], bytes]] = []
    for number in range(milestones // PER_AGREEMENT):
        logs += _life(number)
        while len(logs) >= PER_BLOCK:
            node.mine(logs[:PER_BLOCK])
            del logs[:PER_BLOCK]
    node.mine(logs)
    node.close()


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


def measure(folder: Path, *, proves: bool = False) -> dict[str, float]:
    """In this process: events per second, and what memory the indexer itself came to take."""
    from milestone_escrow.oracle.indexer.bounds import ReadingLimits
    from milestone_escrow.oracle.indexer.indexer import Indexer
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.eip712 import Domain

    limits = ReadingLimits(blocks=AT_ONCE, widest=AT_ONCE, attempts=1, proves=proves)
    network = Network("bench", "Bench", CHAIN_ID, local=True, confirmations=13)
    store = Store.open(folder / "oracle.db", Domain(CHAIN_ID, CONTRACT))
    indexer = Indexer(store, JsonNode(folder, AT_ONCE), network, CONTRACT, limits=limits)
    memory = _resident()
    steps: list[tuple[int, float, float]] = []
    while True:
        clock, used = time.perf_counter(), time.process_time()
        progress = indexer.step(0)
        steps.append((progress.events, time.perf_counter() - clock, time.process_time() - used))
        if progress.caught_up:
            break
    grown = _resident() - memory
    store.close()
    return {
        "web3": web3_rate(folder),
        "clock": _rate(steps, 1),
        "core": _rate(steps, 2),
        "late": _rate(steps[-8:], 2),
        "memory": grown / 2**20,
    }


def web3_rate(folder: Path) -> float:
    """What web3.py makes of the same text here, per second of a core, without keeping any of it."""
    from web3 import Web3

    from milestone_escrow.chain.contract.artifact import load
    from milestone_escrow.chain.embedded.provider import provider

    web3 = Web3(provider(JsonNode(folder, AT_ONCE)))
    contract = web3.eth.contract(CONTRACT, abi=list(load("MilestoneEscrow").abi))
    events = {topic: contract.events[name]() for name, topic in TOPICS.items()}
    start = time.process_time()
    logs = web3.eth.get_logs(
        {"address": CONTRACT, "fromBlock": 0, "toBlock": AT_ONCE - 1}  # type: ignore[typeddict-item]
    )
    for log in logs:
        events[bytes(log["topics"][0])].process_log(log)
    return len(logs) / (time.process_time() - start)


def _rate(steps: Sequence[tuple[int, float, float]], which: int) -> float:
    return sum(step[0] for step in steps) / sum(step[which] for step in steps)


def rows() -> Iterator[Row]:
    few, many, proven = _apart(FEW), _apart(MANY), _apart(SOME, "proves")
    what = "events indexed, JSON to committed row"
    peers = PEERS | {"web3.py here and now": round(many["web3"])}
    yield Row(f"{what}, per second of a core", round(many["core"]), "events/s", ">= 20000", peers)
    yield Row("the same by the clock, the disk's waits included", round(many["clock"]), "events/s")
    yield Row("the same, each block's logs asked for twice", round(proven["core"]), "events/s")
    grows = many["late"] / few["core"]
    yield Row(f"speed at {MANY:,} milestones / at {FEW:,}", round(grows, 2), "times", ">= 0.7")
    for milestones, found in ((MANY, many), (FEW, few)):
        name = f"memory that indexing {milestones:,} milestones takes"
        yield Row(name, round(found["memory"], 1), "MB", "<= 100")


def _apart(milestones: int, *how: str) -> dict[str, float]:
    """Measured in a process that does nothing else, so that its memory is the indexer's."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), milestones)
        command = [sys.executable, "-m", "bench.indexing", folder, *how]
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
    print(json.dumps(measure(Path(sys.argv[1]), proves="proves" in sys.argv)))
