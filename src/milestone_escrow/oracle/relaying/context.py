"""What all parts of one relayer share: its store, node and account, and whom it tells."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, select

from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.refusals.attempts import Attempt as Tried
from milestone_escrow.oracle.relaying.figures import Figures
from milestone_escrow.oracle.relaying.intents import Intent
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.relaying.strict import StrictNode
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, serialize
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import Signer

log = logging.getLogger("milestone_escrow.oracle.relaying")

# The same trouble is told again after this many seconds.
TOLD_FOR = 600


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should look at: `kind` is "low_gas", "gas_price", "failed", "stuck",
    "refused" or "unsigned"; `subject` tells alerts of a kind apart."""

    kind: str
    subject: str
    text: str


@dataclass
class RelayContext:
    """One relayer's own things. `contract` is where its calls go, `owner` names it in leases."""

    store: Store
    node: Node
    network: Network
    contract: Address
    signer: Signer
    settings: RelayingSettings
    clock: Callable[[], int]
    owner: str
    alerts: list[Alert] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    _told: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.node = StrictNode(self.node)
        if self.settings.max_fee is not None:
            self.network = replace(self.network, max_fee=self.settings.max_fee)

    @property
    def sender(self) -> Address:
        return self.signer.address

    @property
    def now(self) -> int:
        return self.clock()

    def since(self, then: int) -> int:
        """Seconds between then and now. A clock that was set back must not make anything wait."""
        return abs(self.now - then)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that records what it does. Whoever records goes one by one from its very
        start, so that no two of them wait for each other's rows."""
        with self.store.transaction() as connection:
            serialize(connection, "audit")
            yield connection

    def alert(self, kind: str, subject: str, text: str) -> None:
        """Tell somebody: in this step's report and, unless that was done lately, in the log."""
        if not any((one.kind, one.subject) == (kind, subject) for one in self.alerts):
            self.alerts.append(Alert(kind, subject, text))
        told = self._told.get((kind, subject))
        if told is not None and self.since(told) < TOLD_FOR:
            return
        self._told[(kind, subject)] = self.now
        self.figures.alerts.labels(kind).inc()
        log.warning(text, extra={"fields": {"kind": kind, "subject": subject}})

    def count(self, stage: str, intent: Intent, reason: str = "") -> None:
        """An intent came to a stage."""
        self.counts[stage] = self.counts.get(stage, 0) + 1
        self.figures.stages.labels(stage).inc()
        fields = {"key": intent.key, "stage": stage, "reason": reason}
        log.info("an intent is %s", stage, extra={"fields": fields})

    def reader(self) -> Reader:
        """Reads the contract itself, not the store."""
        return Reader(self.node, self.network, self.contract)

    def tried(self, intent: Intent, view: AgreementView | None) -> Tried:
        """What a sentence about a refusal needs to know."""
        if view is None:
            return Tried(intent.verb, self.sender)
        token = view.token or self.reader().token_at(view.terms.token)
        state = None if intent.milestone is None else view.states[intent.milestone]
        return Tried(intent.verb, self.sender, view, token, intent.milestone, state)


def final_number(connection: Connection) -> int:
    """The last block that the store takes for final; -1 before there is any."""
    found = connection.execute(select(t.cursor.c.final_number)).scalar()
    return -1 if found is None else int(found)
