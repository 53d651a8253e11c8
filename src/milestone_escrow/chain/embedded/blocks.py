"""Blocks, transactions, receipts and logs of the embedded chain, as JSON-RPC writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from milestone_escrow.chain.embedded.records import MinedBlock, MinedTransaction
from milestone_escrow.chain.proofs.blooms import BLOOM_BITS, bloom_of
from milestone_escrow.chain.proofs.receipts import Log
from milestone_escrow.protocol.hexes import hexed


def block_view(block: MinedBlock, full: bool) -> dict[str, object]:
    """A block; `full` says whether its transactions come whole or as hashes."""
    header: Any = block.header
    transactions = block.transactions
    return {
        "number": hex(block.number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "nonce": hexed(header.nonce),
        "sha3Uncles": hexed(header.uncles_hash),
        "logsBloom": hexed(header.bloom.to_bytes(BLOOM_BITS // 8, "big")),
        "transactionsRoot": hexed(header.transaction_root),
        "stateRoot": hexed(header.state_root),
        "receiptsRoot": hexed(header.receipt_root),
        "miner": hexed(header.coinbase),
        "difficulty": hex(header.difficulty),
        "totalDifficulty": hex(0),
        "mixHash": hexed(header.mix_hash),
        "extraData": hexed(header.extra_data),
        "size": hex(1_000),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(block.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "blobGasUsed": hex(header.blob_gas_used),
        "excessBlobGas": hex(header.excess_blob_gas),
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
        "type": hex(kind or 0),
        "from": hexed(transaction.sender),
        "to": hexed(raw.to) if raw.to else None,
        "nonce": hex(raw.nonce),
        "value": hex(raw.value),
        "gas": hex(raw.gas),
        "gasPrice": hex(_gas_price(block, raw)),
        "input": hexed(raw.data),
        "r": hex(raw.r),
        "s": hex(raw.s),
        "v": hex(raw.y_parity if kind else raw.v),
    }
    if kind:
        access = [
            {"address": hexed(account), "storageKeys": [hexed(_word(slot)) for slot in slots]}
            for account, slots in raw.access_list
        ]
        view |= {"chainId": hex(raw.chain_id), "yParity": view["v"], "accessList": access}
    if kind and kind >= 2:
        view |= {
            "maxFeePerGas": hex(raw.max_fee_per_gas),
            "maxPriorityFeePerGas": hex(raw.max_priority_fee_per_gas),
        }
    return view


def receipt_view(block: MinedBlock, transaction: MinedTransaction) -> dict[str, object]:
    raw = transaction.raw
    marks = [mark for log in transaction.logs for mark in (log.address, *log.topics)]
    return {
        **_place(block, transaction),
        "transactionHash": hexed(transaction.hash),
        "type": hex(getattr(raw, "type_id", None) or 0),
        "from": hexed(transaction.sender),
        "to": hexed(raw.to) if raw.to else None,
        "status": hex(transaction.succeeded),
        "gasUsed": hex(transaction.gas_used),
        "cumulativeGasUsed": hex(transaction.gas_used),
        "effectiveGasPrice": hex(_gas_price(block, raw)),
        "contractAddress": hexed(transaction.created) if transaction.created else None,
        "logs": [view for _, view in log_views(block, transaction)],
        "logsBloom": hexed(bloom_of(marks).to_bytes(BLOOM_BITS // 8, "big")),
    }


def log_views(
    block: MinedBlock, transaction: MinedTransaction
) -> Iterator[tuple[Log, dict[str, object]]]:
    """Each log of a transaction with its JSON form."""
    for index, log in enumerate(transaction.logs):
        yield (
            log,
            {
                **_place(block, transaction),
                "transactionHash": hexed(transaction.hash),
                "blockTimestamp": hex(block.timestamp),
                "address": hexed(log.address),
                "topics": [hexed(topic) for topic in log.topics],
                "data": hexed(log.data),
                "logIndex": hex(index),
                "removed": False,
            },
        )


def _place(block: MinedBlock, transaction: MinedTransaction) -> dict[str, object]:
    return {
        "blockHash": hexed(block.header.hash),
        "blockNumber": hex(block.number),
        "transactionIndex": "0x0",
    }


def _gas_price(block: MinedBlock, raw: Any) -> int:
    base: int = block.header.base_fee_per_gas
    return int(min(raw.max_fee_per_gas, raw.max_priority_fee_per_gas + base))


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
