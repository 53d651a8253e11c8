"""A node whose answers have the shape that was asked for: what has not is no answer at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from milestone_escrow.chain.node.rpc import Node, RpcError

_QUANTITIES = frozenset(
    {
        "eth_estimateGas",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_maxPriorityFeePerGas",
    }
)
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


class StrictNode:
    """Passes questions on. Nonsense, and answers to another question, become errors."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """The answer.

        Raises:
            RpcError: the node refuses, or its answer cannot be one to this question.
            ChainError: it does not answer.
        """
        answer = self._node.request(method, params)
        if method in _QUANTITIES:
            fits = _is(_QUANTITY, answer)
        elif method == "eth_sendRawTransaction":
            fits = _is(_HASH, answer)
        elif method == "eth_getBlockByNumber":
            fits = _is_block(answer, params[0])
        elif method == "eth_getTransactionReceipt":
            fits = answer is None or _is_receipt(answer, params[0])
        else:
            return answer
        if not fits:
            raise RpcError(f"the node's answer to {method} makes no sense")
        return answer


def _is_block(answer: object, asked: object) -> bool:
    if answer is None:
        return asked != "latest"
    if not isinstance(answer, dict) or not _is(_HASH, answer.get("hash")):
        return False
    if not _is(_QUANTITY, answer.get("number")) or not _is(_QUANTITY, answer.get("timestamp")):
        return False
    return not _is(_QUANTITY, asked) or int(answer["number"], 16) == int(str(asked), 16)


def _is_receipt(answer: object, asked: object) -> bool:
    if not isinstance(answer, dict) or answer.get("transactionHash") != asked:
        return False
    if answer.get("blockNumber") is None:
        return True  # as some nodes put that it waits
    numbers = _is(_QUANTITY, answer["blockNumber"]) and _is(_QUANTITY, answer.get("status"))
    return numbers and _is(_HASH, answer.get("blockHash"))


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
