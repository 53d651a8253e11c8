"""A transaction that no block takes: sent again at a better price, or taken back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.broadcast import Signed, await_receipt, broadcast
from milestone_escrow.chain.send.fees import AS_USUAL, Bid, Price, data_fee, replacing
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import Signer

_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
# Ordinary transactions: others carry blobs or delegations, which a copy would lose.
_TYPES = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction that the node has and no block does."""

    hash: str
    sender: Address
    nonce: int
    to: Address | None
    data: bytes
    value: int
    gas: int
    price: Price


@dataclass(frozen=True, slots=True)
class Replaced:
    """Which of the two was mined; `fee` in wei."""

    transaction: str
    block: int
    is_replacement: bool
    succeeded: bool
    gas_used: int
    fee: int


def find_waiting(node: Node, network: Network, transaction: str) -> Waiting:
    """A transaction that waits, by its hash.

    Raises:
        UsageError: that is no hash.
        ChainError: the node does not have it, or it is mined already.
    """
    if not _HASH.fullmatch(transaction):
        raise UsageError(
            f"'{transaction}' is not a transaction's hash", hint="it is 0x and 64 hex digits"
        )
    found = node.request("eth_getTransactionByHash", [transaction])
    if not isinstance(found, dict):
        raise ChainError(
            f"no node of {network.title} that was asked has the transaction {transaction}",
            hint="check hash and network; if it was dropped, run the command anew that sent it",
        )
    if found.get("blockNumber"):
        number = int(found["blockNumber"], 16)
        raise ChainError(
            f"the transaction {transaction} is in block {number:,} already",
            hint="there is nothing left to replace",
        )
    return _read(found)


def prepare_replacement(
    node: Node, network: Network, waiting: Waiting, *, cancel: bool, bid: Bid = AS_USUAL
) -> Prepared:
    """What takes the place of a transaction: itself at a better price or, to `cancel`, nothing
    sent to oneself.

    Raises:
        UsageError: the bid is too low to replace it.
        ChainError: gas costs more than the network's cap.
    """
    to = waiting.sender if cancel else waiting.to
    data = b"" if cancel else waiting.data
    gas = waiting.gas
    if cancel:
        call = {"from": waiting.sender, "to": to}
        gas = int(node.request("eth_estimateGas", [call]), 16) * 6 // 5
    price = replacing(waiting.price, node, network, bid)
    posted = data_fee(node, network, to, data)
    value = 0 if cancel else waiting.value
    return Prepared(
        verb="cancel" if cancel else "speed up",
        sender=waiting.sender,
        to=to,
        data=data,
        value=value,
        gas=gas,
        max_fee_per_gas=price.max_fee,
        max_priority_fee_per_gas=price.tip,
        chain_id=network.chain_id,
        attempt=Attempt("cancel" if cancel else "speed up", waiting.sender),
        expected_cost=gas * price.expected + posted.wei + value,
        data_fee=posted.wei,
        legacy=price.legacy,
    )


def replace_waiting(
    node: Node,
    network: Network,
    waiting: Waiting,
    prepared: Prepared,
    signer: Signer,
    *,
    timeout: float = 180,
) -> Replaced:
    """Send the replacement, and wait for whichever of the two is mined.

    Raises:
        ChainError: the key is another account's, the node refuses, or neither is mined in time.
    """
    if signer.address != waiting.sender:
        raise ChainError(
            f"the transaction is of {waiting.sender}, and only that account's key replaces it",
            hint="name the key with --as",
        )
    raw = signer.sign_transaction(prepared.fields(waiting.nonce))
    signed = Signed(raw, waiting.nonce, waiting.sender)
    try:
        broadcast(node, signed, prepared.verb, network)
    except ChainError:
        # The old one may have been mined in this very moment.
        receipt = node.request("eth_getTransactionReceipt", [waiting.hash])
        if not isinstance(receipt, dict) or not receipt.get("blockNumber"):
            raise
    both = [signed.hash, waiting.hash]
    receipt = await_receipt(node, both, prepared.verb, timeout=timeout, network=network)
    used = int(receipt["gasUsed"], 16)
    return Replaced(
        transaction=receipt["transactionHash"],
        block=int(receipt["blockNumber"], 16),
        is_replacement=receipt["transactionHash"] == signed.hash,
        succeeded=int(receipt["status"], 16) == 1,
        gas_used=used,
        fee=used * int(receipt.get("effectiveGasPrice") or "0x0", 16),
    )


def _read(found: dict[str, Any]) -> Waiting:
    from eth_utils.address import to_checksum_address

    kind = int(found.get("type") or "0x0", 16)
    if kind not in _TYPES:
        raise ChainError(
            f"the transaction {found['hash']} is of type {kind}, which cannot be copied here",
            hint="replace it with the wallet that made it",
        )
    if kind == 2:
        most = int(found["maxFeePerGas"], 16)
        price = Price(most, int(found["maxPriorityFeePerGas"], 16), 0)
    else:
        offered = int(found["gasPrice"], 16)
        price = Price(offered, offered, 0, legacy=True)
    return Waiting(
        hash=found["hash"],
        sender=str(to_checksum_address(found["from"])),
        nonce=int(found["nonce"], 16),
        to=str(to_checksum_address(found["to"])) if found.get("to") else None,
        data=bytes.fromhex(str(found.get("input") or found.get("data") or "0x")[2:]),
        value=int(found["value"], 16),
        gas=int(found["gas"], 16),
        price=price,
    )
