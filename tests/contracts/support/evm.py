"""The EVM as the contract tests see it: a state root and a clock.

py-evm runs each transaction on the state below a root and answers with the next root, so a
snapshot is a hash, and a test that goes back in time copies nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth.constants import BLANK_ROOT_HASH, CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks import CancunVM, PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_utils import to_canonical_address, to_checksum_address

GENESIS = 1_800_000_000
"""January 2027: every test starts at this second."""

CHAIN_ID = 31_337
GAS = 15_000_000
FORKS: dict[str, Any] = {"cancun": CancunVM, "prague": PragueVM}


class Reverted(Exception):  # noqa: N818 - the past participle says what happened
    """A transaction failed; `data` is what it answered."""

    def __init__(self, data: bytes, reason: str = "") -> None:
        super().__init__(f"{reason} 0x{data.hex()}")
        self.data = data


@dataclass(frozen=True, slots=True)
class Log:
    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction cost (21,000 and refunds included), answered and logged."""

    gas: int
    output: bytes
    logs: tuple[Log, ...]


@dataclass
class Chain:
    """One EVM chain; `now` and `chain_id` may be set at any time."""

    fork: str = "prague"
    now: int = GENESIS
    chain_id: int = CHAIN_ID
    root: bytes = BLANK_ROOT_HASH
    _db: AtomicDB = field(default_factory=AtomicDB, repr=False)

    def deploy(self, sender: str, code: bytes) -> str:
        """Create a contract and answer its address."""
        state, computation, _ = self._execute(sender, CREATE_CONTRACT_ADDRESS, code, GAS)
        self._keep(state, computation)
        return to_checksum_address(computation.msg.storage_address)

    def send(self, sender: str, to: str, data: bytes, gas: int = GAS) -> Receipt:
        """Run a transaction and keep its effects; raises Reverted, keeping none of them."""
        state, computation, used = self._execute(sender, to_canonical_address(to), data, gas)
        self._keep(state, computation)
        logs = tuple(
            Log(to_checksum_address(address), tuple(t.to_bytes(32, "big") for t in topics), body)
            for address, topics, body in computation.get_log_entries()
        )
        return Receipt(used, computation.output, logs)

    def call(self, to: str, data: bytes, sender: str = "0x" + "11" * 20) -> bytes:
        """Run and forget; answers the output, or raises Reverted."""
        _, computation, _ = self._execute(sender, to_canonical_address(to), data, GAS)
        if computation.is_error:
            raise Reverted(computation.output, str(computation.error))
        return bytes(computation.output)

    def set_code(self, account: str, code: bytes) -> None:
        """Give an account code: a delegation (EIP-7702), or nothing, as after a self-destruct."""
        state = self._state()
        state.set_code(to_canonical_address(account), code)
        state.persist()
        self.root = state.state_root

    def storage(self, account: str, slot: int) -> int:
        return int(self._state().get_storage(to_canonical_address(account), slot))

    def set_storage(self, account: str, slot: int, value: int) -> None:
        """What many transactions would have led to."""
        state = self._state()
        state.set_storage(to_canonical_address(account), slot, value)
        state.persist()
        self.root = state.state_root

    def _execute(self, sender: str, to: bytes, data: bytes, gas: int) -> tuple[Any, Any, int]:
        state = self._state()
        origin = to_canonical_address(sender)
        unsigned = (
            FORKS[self.fork]
            .get_transaction_builder()
            .create_unsigned_transaction(
                nonce=state.get_nonce(origin), gas_price=0, gas=gas, to=to, value=0, data=data
            )
        )
        transaction = SpoofTransaction(unsigned, from_=origin)
        computation = state.apply_transaction(transaction)
        used = FORKS[self.fork].finalize_gas_used(transaction, computation)
        return state, computation, used

    def _keep(self, state: Any, computation: Any) -> None:
        if computation.is_error:
            raise Reverted(computation.output, str(computation.error))
        state.lock_changes()
        state.persist()
        self.root = state.state_root

    def _state(self) -> Any:
        context = ExecutionContext(
            coinbase=b"\xcb" * 20,
            timestamp=self.now,
            block_number=1,
            difficulty=0,
            mix_hash=bytes(32),
            gas_limit=2 * GAS,
            prev_hashes=(),
            chain_id=self.chain_id,
            base_fee_per_gas=0,
            excess_blob_gas=0,
        )
        return FORKS[self.fork].get_state_class()(self._db, context, self.root)
