"""What the interface needs of the rest of the service, handed in so that nothing is circular."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client.registry import Collector
from sqlalchemy import Connection

from milestone_escrow.chain.node.network import Network
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.sessions import SESSION_SECONDS
from milestone_escrow.oracle.api.throttle import RATES, Rate
from milestone_escrow.oracle.evidence.blobs import Blobs
from milestone_escrow.oracle.evidence.handing_in import IntakeRules
from milestone_escrow.oracle.policies.webhook import Hook
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import Wallets


@dataclass(frozen=True)
class ApiSettings:
    """How the interface presents itself, and what it allows.

    Attributes:
        origin: its public address, "https://oracle.example"; what people sign in to.
        trusted_proxies: networks whose X-Forwarded-For is believed; none unless named.
        max_lag: seconds that the indexed head may lie behind before the service is not ready.
        operator_token: SHA-256 of the operator's token; empty where there is none.
    """

    domain: Domain
    network: Network
    origin: str = "http://127.0.0.1:8580"
    trusted_proxies: tuple[str, ...] = ()
    max_lag: int = 600
    session_seconds: int = SESSION_SECONDS
    operator_token: bytes = b""
    rates: Mapping[str, Rate] = field(default_factory=lambda: RATES)
    stream_poll: float = 0.5
    stream_heartbeat: float = 15.0
    max_streams: int = 500

    @property
    def is_secure(self) -> bool:
        return self.origin.startswith("https://")


class LoopReport(Protocol):
    """How one loop of the service does."""

    @property
    def name(self) -> str: ...

    @property
    def ok(self) -> bool: ...

    @property
    def text(self) -> str: ...


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class ApiDeps:
    """The rooms behind the interface. `clock` is the wall clock in Unix seconds; `wake` tells the
    worker that there is something to do; `chain_problem` says why the node cannot be used now, ""
    where it can; `balance` is the relaying account's, in wei, None where it is not known;
    `wallets` asks the chain about accounts that are contracts; `hooks` are who may send
    events, by name; `blobs` is where files of evidence are kept, under these `rules`; `counters`
    are what the rest of the process counts, for Prometheus; `loops` tells how each loop does."""

    store: Store
    settings: ApiSettings
    clock: Callable[[], float] = time.time
    wake: Callable[[], None] = _nothing
    chain_problem: Callable[[], str] = str
    balance: Callable[[], int | None] = _nothing
    wallets: Wallets | None = None
    blobs: Blobs | None = None
    rules: IntakeRules = field(default_factory=IntakeRules)
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    counters: tuple[Collector, ...] = ()
    loops: Callable[[], Sequence[LoopReport]] = tuple

    def now(self) -> int:
        """The wall clock, in whole seconds."""
        return int(self.clock())

    def chain_now(self, connection: Connection) -> int:
        """The time that the contract's clocks go by. A local chain has a time of its own."""
        head = viewing.head(connection)
        if head is None:
            return self.now()
        return head.time if self.settings.network.local else max(head.time, self.now())
