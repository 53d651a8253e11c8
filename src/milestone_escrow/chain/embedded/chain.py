"""An Ethereum chain within this process: py-evm, set up by eth-tester, one block per transaction.

It keeps its own time. Without a clock that is whatever it was told, one second more per block; with
one (the sandbox) it follows that clock, plus what it was warped by. Nothing here is random, so the
same calls give the same chain. Not thread-safe: the JSON-RPC server locks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from milestone_escrow.chain.embedded.methods import answer
from milestone_escrow.chain.embedded.records import Call, CallResult, MinedBlock, MinedTransaction
from milestone_escrow.chain.node.network import DEPLOYER, DEPLOYER_CODE
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.chain.proofs.receipts import Log
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.devchain import SANDBOX_ACCOUNTS, SANDBOX_CHAIN_ID
from milestone_escrow.protocol.hashing import keccak

GAS_LIMIT = 36_000_000
ETHER = 10**18
# A payout keeps 300,000 gas in reserve for the token; see `TokenLib.PUSH_GAS`.
ESTIMATE_RESERVE = 330_000


class EmbeddedChain:
    """A private chain with the accounts of the private keys 1 to 20, a million ether each."""

    def __init__(
        self,
        start: int | None = None,
        *,
        chain_id: int = SANDBOX_CHAIN_ID,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`start` is the genesis' Unix time; by default that of `clock`, or 1 January 2026."""
        self.chain_id = chain_id
        self._clock = clock
        self._offset = 0
        if start is None:
            start = clock() if clock else 1_767_225_600
        elif clock:
            self._offset = start - clock()
        self._earliest = 0
        self._chain, self.accounts = _genesis(start, chain_id)
        self._blocks: list[MinedBlock] = [MinedBlock(self._chain.get_canonical_head(), ())]
        self._where: dict[bytes, int] = {}
        self._snapshots: list[tuple[int, int, int]] = []

    # Time

    @property
    def now(self) -> int:
        """The time of the latest block, which calls and verbs see."""
        return self.head.timestamp

    @property
    def time(self) -> int:
        """What time it is: that of the next block, were it mined now."""
        return max(self.now, self._due())

    def warp(self, seconds: int) -> int:
        """Let time pass and mine a block; returns the new time."""
        self.skip(seconds)
        return self.mine().timestamp

    def set_time(self, timestamp: int) -> int:
        """Mine a block at exactly this time, which must lie ahead."""
        self.set_next_time(timestamp)
        return self.mine().timestamp

    def skip(self, seconds: int) -> None:
        """Let time pass without a block: the next one is that much later."""
        if seconds < 0:
            raise ChainError(f"time cannot go back by {-seconds} seconds", hint="warp forward")
        if seconds:
            self.set_next_time(self.time + seconds)

    def set_next_time(self, timestamp: int) -> None:
        """The next block's time, from which a clock goes on."""
        if timestamp <= self.now:
            raise ChainError(
                f"the chain is at {self.now} and cannot go to {timestamp}", hint="warp forward"
            )
        self._earliest = timestamp
        if self._clock:
            self._offset = timestamp - self._clock()

    def sync(self) -> None:
        """With a clock: mine an empty block where it has moved on, so that calls see the time."""
        if self._clock and self._due() > self.now:
            self.mine()

    def _due(self) -> int:
        return max(self._earliest, self._clock() + self._offset if self._clock else 0)

    # Blocks

    @property
    def head(self) -> MinedBlock:
        return self._blocks[-1]

    def block(self, number: int) -> MinedBlock | None:
        return self._blocks[number] if 0 <= number < len(self._blocks) else None

    def find(self, transaction: bytes) -> tuple[MinedBlock, MinedTransaction] | None:
        """A mined transaction by its hash, with its block."""
        if transaction not in self._where:
            return None
        block = self._blocks[self._where[transaction]]
        return block, block.transactions[0]

    def mine(self) -> MinedBlock:
        """An empty block."""
        return self._mine()

    def send_raw(self, raw: bytes) -> bytes:
        """Execute a signed transaction in a block of its own; returns its hash.

        Raises:
            RpcError: it is not valid here; the messages are those of a usual node.
        """
        from eth.exceptions import UnrecognizedTransactionType
        from eth_utils.exceptions import ValidationError
        from rlp.exceptions import RLPException

        try:
            transaction = self._chain.get_transaction_builder().decode(raw)
            sender = transaction.sender
        except (RLPException, ValidationError, UnrecognizedTransactionType, ValueError, IndexError):
            raise RpcError("the transaction cannot be decoded", code=-32602) from None
        chain_id = getattr(transaction, "chain_id", None)
        if chain_id not in (None, self.chain_id):
            raise RpcError(f"invalid chain id {chain_id}, this is chain {self.chain_id}")
        self._require_payable(transaction, sender)
        try:
            return self._mine(transaction).transactions[0].hash
        except ValidationError as error:
            raise RpcError(str(error)) from None

    def send_from(
        self, account: int, to: bytes, data: bytes = b"", *, value: int = 0, gas: int | None = None
    ) -> MinedTransaction:
        """Send from the account of a private key from 1 to 20, which the chain may sign for.

        Raises:
            RpcError: it would fail; nothing is sent then.
        """
        from eth_keys.datatypes import PrivateKey

        sender = self.accounts[account - 1]
        call = Call(to=to, data=data, sender=sender, value=value)
        unsigned = self._unsigned(
            call,
            self.state().get_nonce(sender),
            gas or self.estimate(call),
            fee=2 * self.head.header.base_fee_per_gas + 1,
        )
        signed = unsigned.as_signed_transaction(PrivateKey(account.to_bytes(32, "big")))
        return self._mine(signed).transactions[0]

    def snapshot(self) -> int:
        """Remember everything; returns the snapshot's number."""
        self._snapshots.append((len(self._blocks), self._earliest, self._offset))
        return len(self._snapshots)

    def revert(self, snapshot: int) -> bool:
        """Go back to a snapshot, which uses it and later ones up; False if there is none."""
        from eth.constants import GENESIS_PARENT_HASH

        if not 1 <= snapshot <= len(self._snapshots):
            return False
        length, self._earliest, self._offset = self._snapshots[snapshot - 1]
        del self._snapshots[snapshot - 1 :]
        del self._blocks[length:]
        self._where = {tx: at for tx, at in self._where.items() if at < length}
        header = self.head.header
        database = self._chain.chaindb
        database._set_as_canonical_chain_head(database.db, header, GENESIS_PARENT_HASH)
        self._chain.header = self._chain.create_header_from_parent(header)
        return True

    def _mine(self, transaction: Any = None) -> MinedBlock:
        chain = self._chain
        chain.set_header_timestamp(max(self.now + 1, self._due()))
        number = chain.header.block_number
        result, receipts, computations = chain.mine_all(
            [transaction] if transaction else [], mix_hash=keccak(number.to_bytes(32, "big"))
        )
        mined = tuple(
            MinedTransaction(
                hash=transaction.hash,
                raw=transaction,
                sender=transaction.sender,
                succeeded=not computation.is_error,
                gas_used=receipt.gas_used,
                created=computation.msg.storage_address if computation.msg.is_create else None,
                logs=tuple(
                    Log(log.address, tuple(t.to_bytes(32, "big") for t in log.topics), log.data)
                    for log in receipt.logs
                ),
            )
            for receipt, computation in zip(receipts, computations, strict=True)
        )
        block = MinedBlock(result.imported_block.header, mined)
        self._blocks.append(block)
        self._where.update((one.hash, number) for one in mined)
        return block

    def _require_payable(self, transaction: Any, sender: bytes) -> None:
        state = self.state()
        nonce = state.get_nonce(sender)
        if transaction.nonce != nonce:
            word = "low" if transaction.nonce < nonce else "high"
            raise RpcError(f"nonce too {word}: next nonce {nonce}, tx nonce {transaction.nonce}")
        cost = transaction.value + transaction.gas * transaction.max_fee_per_gas
        if state.get_balance(sender) < cost:
            raise RpcError(
                "insufficient funds for gas * price + value: "
                f"balance {state.get_balance(sender)}, tx cost {cost}"
            )

    # JSON-RPC

    def handle(self, method: str, params: Sequence[object] = ()) -> Any:
        """Answer a JSON-RPC method, as a node does; raises RpcError."""
        return answer(self, method, params)

    request = handle  # so that the chain is a `Node`

    # State

    def state(self, number: int | None = None) -> Any:
        """py-evm's state as it was after a block, by default the latest."""
        block = self.head if number is None else self._blocks[number]
        return self._chain.get_vm(block.header).state

    def call(self, call: Call, number: int | None = None) -> CallResult:
        """Execute without paying for gas and without leaving a trace."""
        from eth.vm.spoof import SpoofTransaction
        from eth_utils.exceptions import ValidationError

        block = self.head if number is None else self._blocks[number]
        vm = self._chain.get_vm(block.header)
        header = block.header.copy(base_fee_per_gas=0)
        state = vm.build_state(
            self._chain.chaindb.db, header, vm.chain_context, (header.hash, *vm.previous_hashes)
        )
        gas = min(call.gas or GAS_LIMIT, GAS_LIMIT)
        unsigned = self._unsigned(call, state.get_nonce(call.sender), gas, fee=0)
        if unsigned.intrinsic_gas > gas:
            raise RpcError(f"intrinsic gas too low: have {gas}, want {unsigned.intrinsic_gas}")
        try:
            done = state.apply_transaction(SpoofTransaction(unsigned, from_=call.sender))
        except ValidationError as error:
            raise RpcError(str(error)) from None
        used = gas - done.get_gas_remaining() + done.data_floor_gas
        return CallResult(done.output, _error_of(done), used)

    def _unsigned(self, call: Call, nonce: int, gas: int, *, fee: int) -> Any:
        return self._chain.get_transaction_builder().new_unsigned_dynamic_fee_transaction(
            chain_id=self.chain_id,
            nonce=nonce,
            max_priority_fee_per_gas=min(fee, 1),
            max_fee_per_gas=fee,
            gas=gas,
            to=call.to,
            value=call.value,
            data=call.data,
            access_list=(),
        )

    def estimate(self, call: Call, number: int | None = None) -> int:
        """Gas that suffices, from a single run: more than a contract call needs, never less."""
        result = self.call(call, number)
        if result.error:
            raise RpcError(result.error, code=3 if result.output else -32000, data=result.output)
        if call.to and not self.state(number).get_code(call.to):
            return result.gas
        return min(result.gas * 64 // 63 + ESTIMATE_RESERVE, GAS_LIMIT)


def _error_of(computation: Any) -> str:
    if not computation.is_error:
        return ""
    from eth.exceptions import OutOfGas, Revert

    if isinstance(computation.error, Revert):
        return "execution reverted"
    return "out of gas" if isinstance(computation.error, OutOfGas) else str(computation.error)


def _genesis(start: int, chain_id: int) -> tuple[Any, tuple[bytes, ...]]:
    """A fresh chain whose first block has exactly the time `start`."""
    from eth_tester.backends.pyevm.main import PyEVMBackend

    parameters = PyEVMBackend.generate_genesis_params({"timestamp": start, "gas_limit": GAS_LIMIT})
    accounts = PyEVMBackend.generate_genesis_state(num_accounts=SANDBOX_ACCOUNTS)
    # As on public networks and on Anvil, so that the contract can be deployed here as there.
    deployer = {"balance": 0, "nonce": 1, "code": DEPLOYER_CODE, "storage": {}}
    accounts[bytes.fromhex(DEPLOYER[2:])] = deployer
    backend = PyEVMBackend(genesis_parameters=parameters, genesis_state=accounts)
    backend.chain.chain_id = chain_id
    return backend.chain, tuple(backend.get_accounts())[:SANDBOX_ACCOUNTS]
