"""Blocks, transactions, receipts and logs of the embedded chain, as JSON-RPC writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from milestone_escrow.chain.embedded.records import Log, MinedBlock, MinedTransaction
from milestone_escrow.protocol.hashing import keccak


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def quantity(value: int) -> str:
    return hex(value)


def block_view(block: MinedBlock, full: bool) -> dict[str, object]:
    """A block; `full` says whether its transactions come whole or as hashes."""
    header: Any = block.header
    transactions = block.transactions
    return {
        "number": quantity(block.number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "nonce": hexed(header.nonce),
        "sha3Uncles": hexed(header.uncles_hash),
        "logsBloom": hexed(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": hexed(header.transaction_root),
        "stateRoot": hexed(header.state_root),
        "receiptsRoot": hexed(header.receipt_root),
        "miner": hexed(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": quantity(0),
        "mixHash": hexed(header.mix_hash),
        "extraData": hexed(header.extra_data),
        "size": quantity(1_000),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(block.timestamp),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": hexed(header.parent_beacon_block_root),
        "withdrawalsRoot": hexed(header.withdrawals_root),
        "requestsHash": hexed(header.requests_hash),
        "withdrawals": [],
        "uncles": [],
        "transactions": [
            transaction_view(block, transaction) if full else hexed(transaction.hash)
            for transaction in transactions
        ],
    }


def transaction_view(block: MinedBlock, transaction: MinedTransaction) -> dict[str, object]:
    raw = transaction.raw
    kind = getattr(raw, "type_id", None)
    view: dict[str, object] = {
        **_place(block, transaction),
        "hash": hexed(transaction.hash),
        "type": quantity(kind or 0),
        "from": hexed(transaction.sender),
        "to": hexed(raw.to) if raw.to else None,
        "nonce": quantity(raw.nonce),
        "value": quantity(raw.value),
        "gas": quantity(raw.gas),
        "gasPrice": quantity(_gas_price(block, raw)),
        "input": hexed(raw.data),
        "r": quantity(raw.r),
        "s": quantity(raw.s),
        "v": quantity(raw.y_parity if kind else raw.v),
    }
    if kind:
        access = [
            {"address": hexed(account), "storageKeys": [hexed(_word(slot)) for slot in slots]}
            for account, slots in raw.access_list
        ]
        view |= {"chainId": quantity(raw.chain_id), "yParity": view["v"], "accessList": access}
    if kind and kind >= 2:
        view |= {
            "maxFeePerGas": quantity(raw.max_fee_per_gas),
            "maxPriorityFeePerGas": quantity(raw.max_priority_fee_per_gas),
        }
    return view


def receipt_view(block: MinedBlock, transaction: MinedTransaction) -> dict[str, object]:
    raw = transaction.raw
    index = block.transactions.index(transaction)
    cumulative = sum(mined.gas_used for mined in block.transactions[: index + 1])
    return {
        **_place(block, transaction),
        "transactionHash": hexed(transaction.hash),
        "type": quantity(getattr(raw, "type_id", None) or 0),
        "from": hexed(transaction.sender),
        "to": hexed(raw.to) if raw.to else None,
        "status": quantity(transaction.succeeded),
        "gasUsed": quantity(transaction.gas_used),
        "cumulativeGasUsed": quantity(cumulative),
        "effectiveGasPrice": quantity(_gas_price(block, raw)),
        "contractAddress": hexed(transaction.created) if transaction.created else None,
        "logs": [view for _, view in log_views(block, transaction)],
        "logsBloom": hexed(_bloom(transaction.logs)),
    }


def log_views(
    block: MinedBlock, transaction: MinedTransaction
) -> Iterator[tuple[Log, dict[str, object]]]:
    """Each log of a transaction with its JSON form."""
    for log in transaction.logs:
        yield (
            log,
            {
                **_place(block, transaction),
                "transactionHash": hexed(transaction.hash),
                "blockTimestamp": quantity(block.timestamp),
                "address": hexed(log.address),
                "topics": [hexed(topic) for topic in log.topics],
                "data": hexed(log.data),
                "logIndex": quantity(log.index),
                "removed": False,
            },
        )


def _place(block: MinedBlock, transaction: MinedTransaction) -> dict[str, object]:
    return {
        "blockHash": hexed(block.header.hash),
        "blockNumber": quantity(block.number),
        "transactionIndex": quantity(block.transactions.index(transaction)),
    }


def _gas_price(block: MinedBlock, raw: Any) -> int:
    base: int = block.header.base_fee_per_gas
    return int(min(raw.max_fee_per_gas, raw.max_priority_fee_per_gas + base))


def _bloom(logs: tuple[Log, ...]) -> bytes:
    bits = 0
    for log in logs:
        for value in (log.address, *log.topics):
            digest = keccak(value)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits.to_bytes(256, "big")


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
