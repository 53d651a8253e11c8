"""The sandbox as a process: a chain behind JSON-RPC, someone who watches, someone who keeps.

The keeper finalizes what falls due, as anybody may. Warping lets it act at each moment on the
way, so that a warp of a year leaves what a year would have left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.contract.events import Event, read_event
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.server import PORT, RpcServer
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.documents.when import DAY
from milestone_escrow.errors import EscrowError
from milestone_escrow.keys.local_signers import DevSigner
from milestone_escrow.keys.sandbox_people import SandboxPerson, everybody
from milestone_escrow.sandbox.silence import Due
from milestone_escrow.sandbox.watch import Library, Watch, Watched

MAX_WARP = 20 * 366 * DAY
# What everybody starts with, in whole units of test USDC.
TEST_MONEY = 10_000_000


class SandboxChain(EmbeddedChain):
    """The embedded chain with one method more: a warp in which the keeper acts on the way."""

    warp_with_keeper: Callable[[int], list[str]] | None = None

    def handle(self, method: str, params: Sequence[object] = ()) -> Any:
        """Answer a JSON-RPC method; see `EmbeddedChain.handle`."""
        if method == "sandbox_warp" and self.warp_with_keeper:
            return self.warp_with_keeper(_seconds(params))
        return super().handle(method, params)

    request = handle


class Sandbox:
    """One chain with contract and test money, served on this machine until it is closed."""

    def __init__(
        self,
        library: Library,
        *,
        port: int = PORT,
        start: int | None = None,
        keeps: bool = True,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """`start` is the chain's first Unix time, by default the clock's.

        Raises:
            ChainError: the port is taken.
        """
        self.chain = SandboxChain(start, clock=clock)
        self.server = RpcServer(self.chain, port)
        self.escrow = Escrow.embedded(chain=self.chain)
        self.keeps = keeps
        self._watch = Watch(self.escrow, library)
        self._keeper = self.escrow.acting_as(_signer("keeper"))
        self._given_up: set[tuple[bytes, Due]] = set()
        self._pending: list[str] = []
        self._endow()
        self._seen = self.chain.head.number
        self.chain.warp_with_keeper = self._warp

    @property
    def network(self) -> Network:
        return self.escrow.network

    def people(self) -> tuple[tuple[SandboxPerson, int, int], ...]:
        """Everybody with their balances: wei, and token units of test USDC."""
        token = self.escrow.token("USDC")
        with self.server.using() as chain:
            return tuple(
                (
                    person,
                    int(chain.state().get_balance(bytes.fromhex(person.account[2:]))),
                    self.escrow.balance(token, person.account),
                )
                for person in everybody()
            )

    def tick(self) -> list[str]:
        """Look at what happened, finalize what is due; returns what is worth telling."""
        with self.server.using():
            lines = self._look()
            if self.keeps:
                lines += self._keep(self.chain.time)
            lines, self._pending = self._pending + lines, []
        return lines

    def _endow(self) -> None:
        token = self.escrow.token("USDC")
        minting = self.escrow.acting_as(_signer("operator"))
        for person in everybody():
            if person.role in ("buyer", "financier"):
                minting.mint(token.symbol, person.account, TEST_MONEY * 10**token.decimals)

    def _look(self) -> list[str]:
        head = self.chain.head.number
        if head < self._seen:
            # Somebody reverted to a snapshot: what is known of later blocks never happened.
            self._watch.agreements.clear()
            self._watch.take(self._events_of(range(head + 1)))
            self._seen = head
        events = self._events_of(range(self._seen + 1, head + 1))
        self._seen = head
        return list(self._watch.take(events))

    def _events_of(self, numbers: Iterable[int]) -> list[Event]:
        return [event for number in numbers for event in self._events(number)]

    def _events(self, number: int) -> list[Event]:
        block = self.chain.block(number)
        if not block or not any(transaction.logs for transaction in block.transactions):
            return []
        query = {
            "address": self.escrow.contract,
            "fromBlock": hex(number),
            "toBlock": hex(number),
        }
        found = [
            read_event(log, block.timestamp) for log in self.chain.request("eth_getLogs", [query])
        ]
        return [event for event in found if event]

    def _keep(self, until: int) -> list[str]:
        """Finalize all that is due by `until`, each at its own time where that lies ahead."""
        lines: list[str] = []
        while (found := self._next(until)) is not None:
            known, due = found
            if due.step.at > self.chain.time:
                self.chain.set_time(due.step.at)
            try:
                self._keeper.finalize(known, due.milestone)
            except EscrowError as error:
                # Tried once: whatever is in the way, trying again every moment does not help.
                self._given_up.add((known.id, due))
                lines.append(f"{known.name}: the keeper cannot finalize: {error}")
            lines += self._look()
        return lines

    def _next(self, until: int) -> tuple[Watched, Due] | None:
        for known, due in self._watch.due_by(until):
            if (known.id, due) not in self._given_up:
                return known, due
        return None

    def _warp(self, seconds: int) -> list[str]:
        target = self.chain.time + seconds
        lines = self._look()
        if self.keeps:
            lines += self._keep(target)
        if target > self.chain.time:
            self.chain.set_time(target)
        self._pending += lines
        return lines


def _signer(role: str) -> DevSigner:
    return next(person.signer for person in everybody() if person.role == role)


def _seconds(params: Sequence[object]) -> int:
    match list(params):
        case [int(seconds)] if 0 < seconds <= MAX_WARP:
            return seconds
    raise RpcError(f"sandbox_warp takes 1 to {MAX_WARP} seconds", code=-32602)
