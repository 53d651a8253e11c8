"""The parameters of JSON-RPC methods, read strictly: hex, block names, calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from milestone_escrow.chain.embedded.records import Call, MinedBlock
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.protocol.hexes import unhexed

if TYPE_CHECKING:
    from milestone_escrow.chain.embedded.chain import EmbeddedChain


def read_block(chain: EmbeddedChain, block: object) -> MinedBlock:
    if isinstance(block, Mapping):  # EIP-1898
        if "blockHash" in block:
            found = block_by_hash(chain, str(block["blockHash"]))
            if found is None:
                raise RpcError(f"there is no block {block['blockHash']}")
            return found
        block = block["blockNumber"]
    return existing_block(chain, read_number(chain, block))


def existing_block(chain: EmbeddedChain, number: int) -> MinedBlock:
    found = chain.block(number)
    if found is None:
        raise RpcError(f"there is no block {number}, the latest is {chain.head.number}")
    return found


def block_by_hash(chain: EmbeddedChain, block: str) -> MinedBlock | None:
    wanted = unhexed(block, 32)
    numbers = range(chain.head.number, -1, -1)
    blocks = (existing_block(chain, number) for number in numbers)
    return next((found for found in blocks if found.header.hash == wanted), None)


def read_number(chain: EmbeddedChain, block: object) -> int:
    if block == "earliest":
        return 0
    # Nothing waits here and nothing is undone: the latest block is pending, safe and final.
    if block is None or block in ("latest", "pending", "safe", "finalized"):
        return chain.head.number
    return read_integer(block)


def read_state(chain: EmbeddedChain, block: object) -> Any:
    return chain.state(read_block(chain, block).number)


def read_call(call: Mapping[str, object]) -> Call:
    data = call.get("input") or call.get("data") or "0x"
    gas = call.get("gas")
    return Call(
        to=unhexed(str(call["to"]), 20) if call.get("to") else b"",
        data=unhexed(str(data)),
        sender=unhexed(str(call["from"]), 20) if call.get("from") else bytes(20),
        value=read_integer(call.get("value") or 0),
        gas=read_integer(gas) if gas else None,
    )


def alternatives(value: object) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def read_integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(str(value), 16 if str(value).startswith("0x") else 10)
