"""Several nodes of one network as one: who fails, lags or is on another chain is passed over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from milestone_escrow.chain.node.connection import Endpoint, as_node
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import require_allowed
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, Node, RpcError
from milestone_escrow.errors import ChainError, UsageError

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
WRONG_CHAIN_PAUSE = 300.0

# Errors of a node, not of what was asked: another one may know better.
_INTERNAL = -32603
_SELF = ("header not found", "missing trie node", "internal error", "is not available", "pruned")


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """How one endpoint stands; `trouble` is "" where nothing is known against it."""

    host: str
    trouble: str
    head: int | None


class _One:
    """One endpoint, and what is known of it."""

    def __init__(self, node: Node, host: str) -> None:
        self.node = node
        self.host = host
        self.checked = False
        self.trouble = ""
        self.until = 0.0
        self.failures = 0
        self.head: int | None = None


class Endpoints:
    """A `Node` over several. The first that is well answers; what is sent goes to all that are."""

    def __init__(
        self,
        nodes: Sequence[Node],
        network: Network,
        *,
        lag: int = 3,
        probe_every: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lag` is how many blocks one may be behind the others; their heads are compared every
        `probe_every` seconds of `clock`."""
        if not nodes:
            raise UsageError(f"no node of {network.title} is known", hint="name one with --rpc")
        self.network = network
        names = [_host(node) for node in nodes]
        self._all = [
            _One(node, name if name and names.count(name) == 1 else f"{name or 'node'} #{at}")
            for at, (node, name) in enumerate(zip(nodes, names, strict=True), 1)
        ]
        self._lag = lag
        self._probe_every = probe_every
        self._probed: float | None = None
        self._clock = clock
        self._lock = threading.Lock()

    @classmethod
    def reach(
        cls, network: Network, rpcs: Sequence[Endpoint] = (), *, mainnet: bool = False
    ) -> Endpoints:
        """The network's node, or those at `rpcs`; they need not all answer yet.

        Raises:
            UsageError: a main network without `mainnet`, or no address is known.
        """
        require_allowed(network, mainnet)
        known = [rpc for rpc in rpcs or (network.rpc,) if rpc]
        return cls([as_node(rpc) for rpc in known], network)

    @property
    def host(self) -> str:
        return ", ".join(one.host for one in self._all)

    def health(self) -> tuple[EndpointHealth, ...]:
        """What is known of each endpoint, without asking any."""
        return tuple(EndpointHealth(one.host, one.trouble, one.head) for one in self._all)

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """What the first healthy endpoint answers.

        Raises:
            RpcError: an endpoint answered with an error that is about the question.
            ChainError: none answers; says for each host why.
        """
        if method == "eth_sendRawTransaction":
            return self._send(method, params)
        refused: RpcError | None = None
        for one in self._candidates():
            try:
                return self._ask(one, method, params)
            except RpcError as error:
                if error.code != METHOD_NOT_FOUND and not _is_own_fault(error):
                    raise
                refused = refused or error
            except ChainError:
                continue
        raise refused or self._silent()

    @contextmanager
    def pinned(self) -> Iterator[Node]:
        """One healthy endpoint for questions whose answers must fit together.

        Raises:
            ChainError: none answers.
        """
        for one in self._candidates():
            try:
                self._check(one)
            except ChainError as error:
                self._failed(one, error)
                continue
            yield _Pinned(self, one)
            return
        raise self._silent()

    def _send(self, method: str, params: Sequence[object]) -> Any:
        answers: list[Any] = []
        refused: list[RpcError] = []
        for one in self._candidates(willing=True):
            try:
                answers.append(self._ask(one, method, params))
            except RpcError as error:
                refused.append(error)
            except ChainError:
                continue
        if answers:
            return answers[0]
        raise refused[0] if refused else self._silent()

    def _candidates(self, *, willing: bool = False) -> list[_One]:
        """Who to ask, in order. Where nobody is well, whoever was put aside for the shortest."""
        self._probe()
        now = self._clock()
        well = [one for one in self._all if one.until <= now]
        aside = sorted((one for one in self._all if one.until > now), key=lambda one: one.until)
        return well or aside if willing else [*well, *aside]

    def _ask(self, one: _One, method: str, params: Sequence[object]) -> Any:
        try:
            self._check(one)
            answer = one.node.request(method, params)
        except RpcError as error:
            if _is_own_fault(error):
                self._failed(one, error)
            raise
        except ChainError as error:
            self._failed(one, error)
            raise
        with self._lock:
            one.failures, one.until, one.trouble = 0, 0.0, ""
        return answer

    def _check(self, one: _One) -> None:
        """Which chain it is on, unless that is known since its last error."""
        if one.checked:
            return
        try:
            chain_id = int(one.node.request("eth_chainId"), 16)
        except (RpcError, TypeError, ValueError):
            raise ChainError(f"the node at {one.host} does not say which chain it is on") from None
        if chain_id != self.network.chain_id:
            raise _WrongChainError(one.host, chain_id, self.network)
        one.checked = True

    def _failed(self, one: _One, error: ChainError, pause: float | None = None) -> None:
        wrong = isinstance(error, _WrongChainError)
        with self._lock:
            one.failures += 1
            doubled = min(FIRST_PAUSE * 2.0 ** min(one.failures - 1, 10), LONGEST_PAUSE)
            one.until = self._clock() + (pause or (WRONG_CHAIN_PAUSE if wrong else doubled))
            one.trouble = error.message
            one.checked = False

    def _probe(self) -> None:
        """Compare heads now and then, and put aside who is behind."""
        now = self._clock()
        with self._lock:
            fresh = self._probed is not None and now - self._probed < self._probe_every
            if len(self._all) == 1 or fresh:
                return
            self._probed = now
        for one in self._all:
            if one.until > now and one.head is None:
                continue  # it did not answer a moment ago
            try:
                self._check(one)
                one.head = int(one.node.request("eth_blockNumber"), 16)
            except ChainError as error:
                one.head = None
                self._failed(one, error)
            except (TypeError, ValueError):
                one.head = None
                self._failed(one, ChainError("it does not say which block is its latest"))
        best = max((one.head for one in self._all if one.head is not None), default=0)
        for one in self._all:
            if one.head is None:
                continue
            behind = best - one.head
            if behind > self._lag:
                late = ChainError(f"the node at {one.host} is {behind} blocks behind the others")
                self._failed(one, late, self._probe_every)
            elif one.until > now:
                with self._lock:
                    one.failures, one.until, one.trouble = 0, 0.0, ""

    def _silent(self) -> ChainError:
        said = "; ".join(f"{one.host}: {one.trouble or 'no answer'}" for one in self._all)
        first = next((one for one in self._all if one.trouble), self._all[0])
        if len(self._all) == 1:
            return ChainError(first.trouble, hint="try again, or name another node with --rpc")
        return ChainError(
            f"none of the {len(self._all)} nodes of {self.network.title} can be used ({said})",
            hint="try again, or name another with --rpc",
        )


class _Pinned:
    """One of several endpoints; its errors count against it, nobody else answers instead."""

    def __init__(self, owner: Endpoints, one: _One) -> None:
        self.host = one.host
        self._owner = owner
        self._one = one

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        return self._owner._ask(self._one, method, params)

    def distrust(self, error: ChainError) -> None:
        """Put it aside: what it answered cannot be true."""
        self._owner._failed(self._one, error)


class _WrongChainError(ChainError):
    def __init__(self, host: str, chain_id: int, network: Network) -> None:
        super().__init__(
            f"the node at {host} is on chain {chain_id}, but {network.title} is chain "
            f"{network.chain_id}",
            hint="name the right network, or another node with --rpc",
        )


def _host(node: Node) -> str:
    """Where it is, without what may follow: addresses carry access keys."""
    said = str(getattr(node, "host", ""))
    parts = urlsplit(said)
    if not parts.hostname:
        return said
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def _is_own_fault(error: RpcError) -> bool:
    return error.code == _INTERNAL or any(word in error.message.lower() for word in _SELF)
