"""What the chain says of a range of blocks, each answer held against the others.

Every log is held against its block: by the block's hash, by its bloom and, where the node gives
receipts, by the root of these in the header, which proves that none is missing. Blocks that can
still be undone are read one by one, each the child of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import Event, read_event
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, Node, RpcError
from milestone_escrow.chain.proofs.blooms import bloom_of, chance, may_hold, topic_bits
from milestone_escrow.chain.proofs.headers import Header, read_header
from milestone_escrow.chain.proofs.receipts import proven_logs
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hexes import quantity

# A bloom so empty that what seems to be in it is: then a missing log is searched for, too.
RARELY_WRONG = 0.01
INVALID_PARAMS = -32602
ASK_AGAIN = 3


class DoubtError(ChainError):
    """What the node answered does not fit together: the chain moved meanwhile, or it errs."""


class FoundEvent(NamedTuple):
    """An event and the block that it is in."""

    event: Event
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Passage:
    """A range of blocks: the headers that are kept, the last one among them, and all events."""

    headers: tuple[Header, ...]
    events: tuple[FoundEvent, ...]


class ChainReader:
    """Reads one contract's blocks and logs from one node."""

    def __init__(self, contract: Address, *, proves: bool = True) -> None:
        """Where it does not prove anything, a log that the node leaves out is not missed."""
        self._contract = contract
        self._proves = proves
        self._account = contract.lower()
        self._address_bits = bloom_of([bytes.fromhex(contract[2:])])
        events = interface("MilestoneEscrow").events
        self._topic_bits = [bloom_of([topic]) for topic in events]
        self._receipts = True

    def header(self, node: Node, block: int | str) -> Header | None:
        """The header of a block by its number or tag; None where the node has none.

        Raises:
            DoubtError: it is another block, or none.
        """
        name = hex(block) if isinstance(block, int) else block
        answer = node.request("eth_getBlockByNumber", [name, False])
        if answer is None:
            return None
        header = _read(answer)
        if isinstance(block, int) and header.number != block:
            raise DoubtError(f"asked for block {block}, the node gives block {header.number}")
        return header

    def linked(self, node: Node, first: int, last: int, parent: bytes | None) -> Passage:
        """Blocks one by one, from the child of `parent` on, with all their events."""
        headers = []
        for number in range(first, last + 1):
            header = self._existing(node, number)
            if parent is not None and header.parent != parent:
                raise DoubtError(f"block {number} is not the child of the block before it")
            headers.append(header)
            parent = header.hash
        logs = self._by_block(self._logs(node, first, last), first, last)
        self._require_same(node, headers[-1])
        found = [
            event
            for header in headers
            for event in self._settled(node, header, logs.get(header.number, []))
        ]
        return Passage(tuple(headers), tuple(found))

    def ranged(self, node: Node, first: int, last: int) -> Passage:
        """Blocks far below the final one: asked for their logs twice, and only those that have
        some for their headers."""
        end = self._existing(node, last)
        logs = self._by_block(self._logs(node, first, last), first, last)
        again = self._by_block(self._logs(node, first, last), first, last)
        if _places(logs) != _places(again):
            raise DoubtError(f"asked twice for blocks {first} to {last}, the node gives other logs")
        self._require_same(node, end)
        found = [
            event
            for number in sorted(logs)
            for event in self._settled(
                node, end if number == last else self._existing(node, number), logs[number]
            )
        ]
        return Passage((end,), tuple(found))

    def _existing(self, node: Node, number: int) -> Header:
        header = self.header(node, number)
        if header is None:
            raise DoubtError(f"the node said that it has block {number}, and does not give it")
        return header

    def _require_same(self, node: Node, header: Header) -> None:
        """So that the node had this block all the while; one that lags answers with no logs."""
        if self._existing(node, header.number).hash != header.hash:
            raise DoubtError(f"block {header.number} changed while it was read")

    def _logs(self, node: Node, first: int, last: int) -> list[dict[str, Any]]:
        query = {"address": self._contract, "fromBlock": hex(first), "toBlock": hex(last)}
        return _listed(node.request("eth_getLogs", [query]))

    def _by_block(
        self, logs: Sequence[dict[str, Any]], first: int, last: int
    ) -> dict[int, list[dict[str, Any]]]:
        """The contract's logs by block, in order, each once."""
        found: dict[int, dict[int, dict[str, Any]]] = {}
        try:
            for log in logs:
                if log["address"].lower() != self._account or log.get("removed"):
                    raise DoubtError("the node gives logs that it was not asked for")
                number, index = quantity(log["blockNumber"]), quantity(log["logIndex"])
                if not first <= number <= last:
                    raise DoubtError(f"asked for logs up to block {last}, one is of {number}")
                known = found.setdefault(number, {})
                if index in known and known[index] != log:
                    raise DoubtError(f"the node gives two logs {index} of block {number}")
                known[index] = log
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DoubtError(f"the node gives a log that is none ({error})") from None
        return {
            number: [known[index] for index in sorted(known)] for number, known in found.items()
        }

    def _settled(
        self, node: Node, header: Header, logs: Sequence[dict[str, Any]]
    ) -> list[FoundEvent]:
        """A block's events, none missing and none too many as far as the header tells."""
        self._require_in(header, logs)
        if self._proves and self._can_have(header):
            logs = self._complete(node, header, logs)
        found = []
        for log in logs:
            event = _event(log, header.time)
            if event is not None:
                found.append(FoundEvent(event, header.hash))
        return found

    def _require_in(self, header: Header, logs: Sequence[Mapping[str, Any]]) -> None:
        own = "0x" + header.hash.hex()
        bits = self._address_bits if logs else 0
        try:
            if any(log["blockHash"].lower() != own for log in logs):
                raise DoubtError(
                    f"a log of block {header.number} is of another block of that number"
                )
            for topic in {topic for log in logs for topic in log["topics"]}:
                bits |= topic_bits(topic)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DoubtError(f"the node gives a log that is none ({error})") from None
        if not may_hold(header.bloom, bits):
            raise DoubtError(f"the bloom of block {header.number} denies a log that the node gives")

    def _can_have(self, header: Header) -> bool:
        return may_hold(header.bloom, self._address_bits) and any(
            may_hold(header.bloom, bits) for bits in self._topic_bits
        )

    def _complete(
        self, node: Node, header: Header, logs: Sequence[dict[str, Any]]
    ) -> Sequence[dict[str, Any]]:
        """The logs of a block whose bloom says that it may have some."""
        if logs or chance(header.bloom) < RARELY_WRONG:
            proven = self._proven(node, header)
            if proven is not None:
                return proven
        for _ in range(ASK_AGAIN):
            query = {"address": self._contract, "blockHash": "0x" + header.hash.hex()}
            answer = _listed(node.request("eth_getLogs", [query]))
            again = self._by_block(answer, header.number, header.number).get(header.number, [])
            self._require_in(header, again)
            if _identities(again) == _identities(logs):
                return again
            logs = again
        raise DoubtError(f"the node gives other logs of block {header.number} each time")

    def _proven(self, node: Node, header: Header) -> list[dict[str, Any]] | None:
        """The contract's logs by the block's receipts; None where the node or the chain gives
        none that prove anything."""
        if not self._receipts:
            return None
        try:
            receipts = node.request("eth_getBlockReceipts", [hex(header.number)])
        except RpcError as error:
            if error.code not in (METHOD_NOT_FOUND, INVALID_PARAMS):
                raise
            self._receipts = error.code != METHOD_NOT_FOUND
            return None
        try:
            logs = proven_logs(header, receipts)
        except ChainError as error:
            raise DoubtError(error.message) from None
        if logs is None:
            return None
        return [log for log in logs if log["address"].lower() == self._account]


def _read(answer: object) -> Header:
    try:
        return read_header(answer)
    except ChainError as error:
        raise DoubtError(error.message) from None


def _event(log: Mapping[str, Any], time: int) -> Event | None:
    try:
        transaction = log["transactionHash"]
        if len(transaction) != 66 or len(bytes.fromhex(transaction[2:])) != 32:
            raise ValueError(f"{transaction!r} is no transaction")
        return read_event(log, time)
    except (ChainError, KeyError, TypeError, ValueError) as error:
        raise DoubtError(str(error)) from None


def _listed(answer: object) -> list[dict[str, Any]]:
    if not isinstance(answer, list):
        raise DoubtError("the node gives no list of logs")
    return answer


def _identities(logs: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [(log["logIndex"], log["blockHash"], log["data"], *log["topics"]) for log in logs]


def _places(logs: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[tuple[object, ...]]:
    return [place for number in sorted(logs) for place in _identities(logs[number])]
