"""Sending: simulated first, priced, signed, broadcast, and waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from milestone_escrow.chain.contract.events import Event, read_event
from milestone_escrow.chain.contract.tokens import read_stops
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.decoding import explain, may_be_stopped
from milestone_escrow.chain.send.broadcast import Signed, await_receipt, broadcast, next_nonce
from milestone_escrow.chain.send.fees import AS_USUAL, Bid, coins, data_fee, price_now
from milestone_escrow.errors import ChainError, ContractError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.lifecycle import payee
from milestone_escrow.protocol.signatures import Sender, Signer

# Estimates are for the state as it is now; other people's transactions may come first.
GAS_MARGIN_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction that was simulated and would be sent; `to` is None for a deployment.

    `data_fee` is what a rollup charges in wei for posting it, on top of gas. `gas` is 0 where it
    could not be simulated, because it stands on another transaction that goes first.
    """

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
    expected_cost: int = 0
    data_fee: int = 0
    legacy: bool = False

    @property
    def max_cost(self) -> int:
        """Wei that the sender must have, the value included."""
        return self.gas * self.max_fee_per_gas + self.data_fee + self.value

    def fields(self, nonce: int) -> dict[str, Any]:
        """What a signer signs."""
        common = {
            "chainId": self.chain_id,
            "nonce": nonce,
            "to": self.to or b"",
            "value": self.value,
            "data": self.data,
            "gas": self.gas,
        }
        if self.legacy:
            return {**common, "gasPrice": self.max_fee_per_gas}
        return {
            **common,
            "type": 2,
            "maxFeePerGas": self.max_fee_per_gas,
            "maxPriorityFeePerGas": self.max_priority_fee_per_gas,
        }

    def to_json(self) -> dict[str, object]:
        """The unsigned transaction as wallets take it, without a nonce; they estimate the gas of
        what could not be simulated."""
        price = (
            {"type": "0x0", "gasPrice": hex(self.max_fee_per_gas)}
            if self.legacy
            else {
                "type": "0x2",
                "maxFeePerGas": hex(self.max_fee_per_gas),
                "maxPriorityFeePerGas": hex(self.max_priority_fee_per_gas),
            }
        )
        return {
            "chainId": hex(self.chain_id),
            "from": self.sender,
            "to": self.to,
            "value": hex(self.value),
            "data": hexed(self.data),
            **({"gas": hex(self.gas)} if self.gas else {}),
            **price,
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
    """Sends transactions to one node of one network."""

    def __init__(
        self,
        node: Node,
        network: Network,
        contract: Address = "",
        *,
        bid: Bid = AS_USUAL,
        timeout: float = 180,
    ) -> None:
        """`contract` is whose events receipts show; `timeout` how many seconds to wait for one.

        Of several transactions the first has the bid's nonce, the others the following ones.
        """
        self._node = node
        self._network = network
        self._contract = contract.lower()
        self._bid = bid
        self._timeout = timeout
        self._is_simulating = True

    @contextmanager
    def unsimulated(self) -> Iterator[None]:
        """Within this, prepare what cannot be simulated yet: gas stays 0, nothing is refused."""
        before, self._is_simulating = self._is_simulating, False
        try:
            yield
        finally:
            self._is_simulating = before

    def prepare(
        self,
        to: Address | None,
        data: bytes,
        attempt: Attempt,
        refine: Callable[[Attempt], Attempt] | None = None,
        *,
        value: int = 0,
    ) -> Prepared:
        """Simulate a call as its sender would send it, and price it.

        `refine` adds to the attempt what a refusal's sentence needs; it is asked only then.

        Raises:
            ContractError: the contract refuses.
            ChainError: the node does, or gas costs more than the network's cap.
            UsageError: the bid's price or nonce will not do.
        """
        call = {"from": attempt.sender, "data": hexed(data)} | ({"to": to} if to else {})
        if value:
            call["value"] = hex(value)
        try:
            answer = self._node.request("eth_estimateGas", [call]) if self._is_simulating else "0x0"
            estimate = int(answer, 16)
        except RpcError as error:
            full = refine(attempt) if refine else attempt
            raise self._refusal(call, "latest", full, error) from None
        price = price_now(self._node, self._network, self._bid)
        posted = data_fee(self._node, self._network, to, data)
        if self._bid.nonce is not None:
            next_nonce(self._node, attempt.sender, self._bid.nonce)
        return Prepared(
            verb=attempt.verb,
            sender=attempt.sender,
            to=to,
            data=data,
            value=value,
            gas=estimate + estimate * GAS_MARGIN_PERCENT // 100,
            max_fee_per_gas=price.max_fee,
            max_priority_fee_per_gas=price.tip,
            chain_id=self._network.chain_id,
            attempt=attempt,
            expected_cost=estimate * price.expected + posted.wei + value,
            data_fee=posted.wei,
            legacy=price.legacy,
        )

    def send(self, prepared: Prepared, signer: Signer) -> Receipt:
        """Sign, broadcast and wait; a signer that sends by itself does the first two. What could
        not be simulated before is simulated now.

        Raises:
            ContractError: the transaction was mined but refused; the reason is replayed.
            ChainError: too little money for gas, no answer in time, or a wallet sent something
                else.
        """
        if not prepared.gas:
            again = (prepared.to, prepared.data, prepared.attempt)
            prepared = self.prepare(*again, value=prepared.value)
        if isinstance(signer, Sender):
            return self._let_send(prepared, signer, signer.address)
        signed = self.sign(prepared, signer)
        sent = broadcast(self._node, signed, prepared.verb, self._network)
        if self._bid.nonce is not None:
            self._bid = replace(self._bid, nonce=signed.nonce + 1)
        return self.finish(prepared, [sent])

    def sign(self, prepared: Prepared, signer: Signer) -> Signed:
        """The transaction ready to be broadcast.

        Raises:
            ChainError: it was prepared for another account, or this one cannot pay for gas.
        """
        sender = signer.address
        self._require_ready(prepared, sender)
        nonce = next_nonce(self._node, sender, self._bid.nonce)
        return Signed(signer.sign_transaction(prepared.fields(nonce)), nonce, sender)

    def _let_send(self, prepared: Prepared, wallet: Sender, account: Address) -> Receipt:
        """Have a wallet send it, and look at what it sent."""
        self._require_ready(prepared, account)
        nonce = next_nonce(self._node, account, self._bid.nonce)
        fields = prepared.fields(nonce)
        if self._bid.nonce is None:
            # The wallet knows better what it has sent already.
            del fields["nonce"]
        else:
            self._bid = replace(self._bid, nonce=nonce + 1)
        sent = wallet.send_transaction(fields)
        receipt = self.finish(prepared, [sent])
        found = self._node.request("eth_getTransactionByHash", [sent])
        if not isinstance(found, dict) or not _is_same(prepared, found):
            raise ChainError(
                f"the wallet sent another transaction than it was asked to, {sent}",
                hint="look at the status, and into this wallet",
                transaction=sent,
            )
        return receipt

    def _require_ready(self, prepared: Prepared, sender: Address) -> None:
        if sender != prepared.sender:
            raise ChainError(f"prepared for {prepared.sender}, but signed by {sender}")
        self._require_gas_money(prepared)

    def explained(self, data: bytes, attempt: Attempt) -> ContractError:
        """The error for what a call reverted with; where it may be about that, with what the
        token's issuer has stopped."""
        found = explain(data, attempt)
        token = attempt.token.address if attempt.token else ""
        accounts = [attempt.contract, attempt.sender]
        if attempt.agreement:
            terms, state = attempt.agreement.terms, attempt.state
            token = terms.token
            accounts += [terms.buyer, *([payee(terms, state)] if state else [])]
        if not token or not may_be_stopped(found):
            return found
        known = dict.fromkeys(account for account in accounts if account)
        stops = read_stops(self._node, token, known)
        return explain(data, replace(attempt, stops=stops)) if stops else found

    def finish(self, prepared: Prepared, transactions: Sequence[str]) -> Receipt:
        """Wait for the first of these transactions of one nonce, and read what it came to.

        Raises:
            ContractError: it was mined but refused.
            ChainError: none is in a block in time.
        """
        raw = await_receipt(
            self._node,
            transactions,
            prepared.verb,
            timeout=self._timeout,
            network=self._network,
        )
        return self._read(prepared, raw)

    def _read(self, prepared: Prepared, raw: dict[str, Any]) -> Receipt:
        if int(raw["status"], 16) != 1:
            call = {"from": prepared.sender, "to": prepared.to, "data": hexed(prepared.data)}
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
            # A rollup says apart what it took for posting the data.
            fee=used * int(raw.get("effectiveGasPrice") or "0x0", 16)
            + int(raw.get("l1Fee") or "0x0", 16),
            events=tuple(event for event in found if event),
            contract=_checksummed(raw.get("contractAddress")),
        )

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
            return self.explained(error.data, attempt)
        return ChainError(f"the node cannot simulate {attempt.verb}: {error.message}")

    def _require_gas_money(self, prepared: Prepared) -> None:
        balance = int(self._node.request("eth_getBalance", [prepared.sender, "latest"]), 16)
        if balance < prepared.max_cost:
            needed, has = (coins(wei, self._network.coin) for wei in (prepared.max_cost, balance))
            raise ChainError(
                f"{prepared.sender} has {has} for gas, up to {needed} is needed",
                hint="send it some, or use another account",
            )


def _is_same(prepared: Prepared, found: dict[str, Any]) -> bool:
    """Whether a mined transaction is the one prepared; gas and nonce are the sender's own."""
    said = found.get("input", found.get("data"))
    return (
        str(found.get("from")).lower() == prepared.sender.lower()
        and str(found.get("to") or "").lower() == (prepared.to or "").lower()
        and int(str(found.get("value") or "0x0"), 16) == prepared.value
        and str(said).lower() == hexed(prepared.data)
    )


def _time(block: dict[str, Any] | None) -> int:
    return int(block["timestamp"], 16) if block else 0


def _checksummed(address: str | None) -> Address | None:
    if not address or address == ZERO_ADDRESS:
        return None
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))
