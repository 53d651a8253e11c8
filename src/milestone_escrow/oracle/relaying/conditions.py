"""What the node says of the moment: the head, the price of gas, an account's balance and nonce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import LimitedError, Node, RpcError
from milestone_escrow.chain.send.fees import Price, price_now
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class Conditions:
    """`price` is None where gas costs more than the ceiling, and `too_dear` says so.

    `nonce` counts what is mined, `looked_at` is in Unix seconds by the clock of this machine.
    """

    head: int
    base: int
    price: Price | None
    too_dear: str
    balance: int
    nonce: int
    looked_at: int


def look(node: Node, network: Network, sender: Address, now: int) -> Conditions:
    """Ask the node; four questions.

    Raises:
        ChainError: it does not answer.
    """
    once = _Once(node)
    block = once.request("eth_getBlockByNumber", ["latest", False])
    price, too_dear = None, ""
    base = int(block.get("baseFeePerGas") or "0x0", 16)
    try:
        price = price_now(once, network)
    except (RpcError, LimitedError):
        raise
    except ChainError as error:
        too_dear = error.message
    return Conditions(
        head=int(block["number"], 16),
        base=base,
        price=price,
        too_dear=too_dear,
        balance=int(once.request("eth_getBalance", [sender, "latest"]), 16),
        nonce=int(once.request("eth_getTransactionCount", [sender, "latest"]), 16),
        looked_at=now,
    )


class _Once:
    """A node that is asked the same question only once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._answers: dict[str, Any] = {}

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        key = f"{method} {params}"
        if key not in self._answers:
            self._answers[key] = self._node.request(method, params)
        return self._answers[key]
