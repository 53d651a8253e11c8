"""Nodes that answer some questions in a way of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from milestone_escrow.chain.node.rpc import Node


class Odd:
    """A node whose answers to some methods are given: a value, an exception, or a function that is
    handed the parameters and the true answer's getter. `asked` are the methods, in order."""

    def __init__(self, node: Node, **answers: object) -> None:
        self.node = node
        self.answers = answers
        self.asked: list[str] = []

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        self.asked.append(method)
        if method not in self.answers:
            return self.node.request(method, params)
        answer = self.answers[method]
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            truth: Callable[[], Any] = lambda: self.node.request(method, params)  # noqa: E731
            return answer(params, truth)
        return answer
