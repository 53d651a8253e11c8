"""Sending: simulated first, priced, signed, broadcast, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from milestone_escrow.chain.attempts import Attempt
from milestone_escrow.chain.events import Event, read_event
from milestone_escrow.chain.refusals import explain
from milestone_escrow.chain.rpc import Node, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.signatures import Signer

GWEI = 10**9
# Estimates are for the state as it is now; other people's transactions may come first.
GAS_MARGIN_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction that was simulated and would be sent; `to` is None for a deployment."""

    verb: str
    sender: Address
    to: Address | None
    data: bytes
    value: int
    gas: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    chain_id: int
    attempt: Attempt = field(repr=False, compare=False)

    @property
    def max_cost(self) -> int:
        """Wei that the sender must have, the value included."""
        return self.gas * self.max_fee_per_gas + self.value

    def to_json(self) -> dict[str, object]:
        """The unsigned transaction as wallets take it, without a nonce."""
        return {
            "type": "0x2",
            "chainId": hex(self.chain_id),
            "from": self.sender,
            "to": self.to,
            "value": hex(self.value),
            "data": "0x" + self.data.hex(),
            "gas": hex(self.gas),
            "maxFeePerGas": hex(self.max_fee_per_gas),
            "maxPriorityFeePerGas": hex(self.max_priority_fee_per_gas),
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction came to: `fee` in wei, `time` Unix seconds, the contract's own events."""

    transaction: str
    block: int
    time: int
    gas_used: int
    fee: int
    events: tuple[Event, ...]
    contract: Address | None = None


class Transactor:
    """Sends transactions to one node of one chain."""

    def __init__(
        self, node: Node, chain_id: int, contract: Address = "", *, timeout: float = 180
    ) -> None:
        """`contract` is whose events receipts show; `timeout` how many seconds to wait for one."""
        self._node = node
        self._chain_id = chain_id
        self._contract = contract.lower()
        self._timeout = timeout

    def prepare(
        self,
        to: Address | None,
        data: bytes,
        attempt: Attempt,
        refine: Callable[[Attempt], Attempt] | None = None,
    ) -> Prepared:
        """Simulate a call as its sender would send it, and price it.

        `refine` adds to the attempt what a refusal's sentence needs; it is asked only then.

        Raises:
            ContractError: the contract refuses.
            ChainError: the node does.
        """
        call = {"from": attempt.sender, "data": "0x" + data.hex()} | ({"to": to} if to else {})
        try:
            estimate = int(self._node.request("eth_estimateGas", [call]), 16)
        except RpcError as error:
            full = refine(attempt) if refine else attempt
            raise self._refusal(call, "latest", full, error) from None
        base, tip = self._fees()
        return Prepared(
            verb=attempt.verb,
            sender=attempt.sender,
            to=to,
            data=data,
            value=0,
            gas=estimate + estimate * GAS_MARGIN_PERCENT // 100,
            max_fee_per_gas=2 * base + tip,
            max_priority_fee_per_gas=tip,
            chain_id=self._chain_id,
            attempt=attempt,
        )

    def send(self, prepared: Prepared, signer: Signer) -> Receipt:
        """Sign, broadcast and wait.

        Raises:
            ContractError: the transaction was mined but refused; the reason is replayed.
            ChainError: too little money for gas, or no answer in time.
        """
        sender = signer.address
        if sender != prepared.sender:
            raise ChainError(f"prepared for {prepared.sender}, but signed by {sender}")
        self._require_gas_money(prepared)
        nonce = int(self._node.request("eth_getTransactionCount", [sender, "pending"]), 16)
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": prepared.chain_id,
            "nonce": nonce,
            "to": prepared.to or b"",
            "value": prepared.value,
            "data": prepared.data,
            "gas": prepared.gas,
            "maxFeePerGas": prepared.max_fee_per_gas,
            "maxPriorityFeePerGas": prepared.max_priority_fee_per_gas,
        }
        raw = signer.sign_transaction(fields)
        try:
            transaction = self._node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
        except RpcError as error:
            raise ChainError(
                f"the node did not take the transaction to {prepared.verb}: {error.message}",
                hint="try again",
            ) from None
        return self._finish(prepared, self._wait(str(transaction), prepared.verb))

    def _finish(self, prepared: Prepared, raw: dict[str, Any]) -> Receipt:
        if int(raw["status"], 16) != 1:
            call = {"from": prepared.sender, "to": prepared.to, "data": "0x" + prepared.data.hex()}
            before = hex(int(raw["blockNumber"], 16) - 1)
            raise self._refusal(call, before, prepared.attempt, None)
        block = int(raw["blockNumber"], 16)
        at = _time(self._node.request("eth_getBlockByNumber", [raw["blockNumber"], False]))
        used = int(raw["gasUsed"], 16)
        own = [log for log in raw["logs"] if log["address"].lower() == self._contract]
        found = [read_event(log, at) for log in own]
        return Receipt(
            transaction=raw["transactionHash"],
            block=block,
            time=at,
            gas_used=used,
            fee=used * int(raw.get("effectiveGasPrice") or "0x0", 16),
            events=tuple(event for event in found if event),
            contract=_checksummed(raw.get("contractAddress")),
        )

    def _wait(self, transaction: str, verb: str) -> dict[str, Any]:
        pause, until = 0.05, time.monotonic() + self._timeout
        while True:
            receipt = self._node.request("eth_getTransactionReceipt", [transaction])
            if isinstance(receipt, dict) and receipt.get("blockNumber"):
                return receipt
            if time.monotonic() > until:
                raise ChainError(
                    f"the transaction {transaction} to {verb} is in no block after "
                    f"{self._timeout:g} seconds",
                    hint="it may still come through: look at the agreement's status before "
                    "sending again",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 2)

    def _refusal(
        self, call: dict[str, Any], block: str, attempt: Attempt, error: RpcError | None
    ) -> ChainError:
        """Why a call fails: from the error at hand or, where that says nothing, from a replay."""
        if error is None or not error.data:
            try:
                self._node.request("eth_call", [call, block])
            except RpcError as replayed:
                error = replayed
        if error is None:
            return ChainError(
                f"the transaction to {attempt.verb} failed, though it works now",
                hint="somebody's transaction came first; look at the status and try again",
            )
        if error.data or "revert" in error.message:
            return explain(error.data, attempt)
        return ChainError(f"the node cannot simulate {attempt.verb}: {error.message}")

    def _fees(self) -> tuple[int, int]:
        """Base fee and tip per gas, in wei (EIP-1559)."""
        block = self._node.request("eth_getBlockByNumber", ["latest", False])
        try:
            tip = int(self._node.request("eth_maxPriorityFeePerGas"), 16)
        except RpcError:
            tip = GWEI
        if block and block.get("baseFeePerGas"):
            return int(block["baseFeePerGas"], 16), tip
        return int(self._node.request("eth_gasPrice"), 16), tip

    def _require_gas_money(self, prepared: Prepared) -> None:
        balance = int(self._node.request("eth_getBalance", [prepared.sender, "latest"]), 16)
        if balance < prepared.max_cost:
            needed, has = _ether(prepared.max_cost), _ether(balance)
            raise ChainError(
                f"{prepared.sender} has {has} of the network's coin for gas, up to {needed} is "
                "needed",
                hint="send it some, or use another account",
            )


def read_logs(
    node: Node,
    contract: Address,
    topics: Sequence[object],
    first: int,
    last: int,
) -> list[dict[str, Any]]:
    """Logs in order; ranges that a node finds too wide are halved until it answers."""
    query = {
        "address": contract,
        "topics": list(topics),
        "fromBlock": hex(first),
        "toBlock": hex(last),
    }
    try:
        return list(node.request("eth_getLogs", [query]))
    except RpcError:
        if first >= last:
            raise
    middle = (first + last) // 2
    return [
        *read_logs(node, contract, topics, first, middle),
        *read_logs(node, contract, topics, middle + 1, last),
    ]


def _time(block: dict[str, Any] | None) -> int:
    return int(block["timestamp"], 16) if block else 0


def _checksummed(address: str | None) -> Address | None:
    if not address or address == ZERO_ADDRESS:
        return None
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))


def _ether(wei: int) -> str:
    return f"{wei / 10**18:.6f}"
