"""What the embedded chain keeps and gives: blocks, transactions, logs, calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.proofs.receipts import Log


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction and what came of it."""

    hash: bytes
    raw: Any
    sender: bytes
    succeeded: bool
    gas_used: int
    created: bytes | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class MinedBlock:
    """A block, its header as py-evm has it; `transactions` are none or one."""

    header: Any
    transactions: tuple[MinedTransaction, ...]

    @property
    def number(self) -> int:
        return int(self.header.block_number)

    @property
    def timestamp(self) -> int:
        return int(self.header.timestamp)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes nothing; an empty `to` simulates a deployment."""

    to: bytes = b""
    data: bytes = b""
    sender: bytes = bytes(20)
    value: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call gave: its output, or with `error` what it reverted with."""

    output: bytes
    error: str
    gas: int
