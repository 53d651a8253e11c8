"""The relayer: one call brings what is due on its way and looks after what is under way."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client.registry import Collector

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.send.fees import coins
from milestone_escrow.errors import ChainError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.broadcasting import Sending
from milestone_escrow.oracle.relaying.conditions import Conditions, look
from milestone_escrow.oracle.relaying.context import Alert, RelayContext, log
from milestone_escrow.oracle.relaying.intents import Intent
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.relaying.planning import Planned, plan
from milestone_escrow.oracle.relaying.watching import Watching
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.leases import hold
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import Signer


@dataclass(frozen=True, slots=True)
class RelayReport:
    """What a step did: intents by the stage that they came to ("sent", "mined", "final",
    "dropped", "failed", "pending" for begun again, "undone" by a reorganisation), how many are
    `live` still, and what a person should look at. `reached` is False where no node answered."""

    planned: Planned
    moved: Mapping[str, int]
    live: int
    alerts: tuple[Alert, ...]
    reached: bool


class Relayer:
    """Sends from one account what the store says is due. Any number may share a store or a chain:
    what one has done, the others find done."""

    def __init__(
        self,
        store: Store,
        node: Node,
        network: Network,
        contract: Address,
        signer: Signer,
        settings: RelayingSettings,
        clock: Callable[[], int],
        *,
        owner: str = "",
    ) -> None:
        """`clock` is Unix seconds; `owner` names this instance among others."""
        name = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._context = RelayContext(
            store, node, network, contract, signer, settings, clock, name[:80]
        )
        self._sending = Sending(self._context)
        self._watching = Watching(self._context, self._sending)
        self._conditions: Conditions | None = None

    @property
    def sender(self) -> Address:
        """The account that pays for gas."""
        return self._context.sender

    @property
    def balance(self) -> int | None:
        """Wei of it when the node was last asked; None before."""
        return self._conditions.balance if self._conditions else None

    @property
    def collectors(self) -> tuple[Collector, ...]:
        """What it has counted since it was made, for Prometheus."""
        return self._context.figures.collectors

    def step(self) -> RelayReport:
        """Plan, send, watch. Safe to call at any time, as often as wanted, and to be killed in.

        A quorum that has just become complete is on its way after two questions to the node.
        """
        self._context.alerts.clear()
        self._context.counts.clear()
        planned, claimed = self._plan()
        failpoint("relay.claimed" if claimed else "relay.planned")
        reached = True
        try:
            if self._conditions is None:
                # Before its first new nonce it must know what became of those before.
                self._watch()
            if claimed:
                self._sending.send(claimed, self._lately())
            self._watch()
        except ChainError as error:
            reached = False
            fields = {"reason": str(error)}
            log.warning("the node does not answer the relayer", extra={"fields": fields})
        with self._context.store.reading() as connection:
            live = intents.count_live(connection)
        moved = dict(self._context.counts)
        return RelayReport(planned, moved, live, tuple(self._context.alerts), reached)

    def _plan(self) -> tuple[Planned, list[Intent]]:
        context = self._context
        with context.writing() as connection:
            head = viewing.head(connection)
            if head is None:
                return Planned(), []
            # The chain's own time, by which it would refuse: this machine's clock may be wrong.
            planned = plan(connection, head.time, context.now, joined=context.settings.joined)
            return planned, self._sending.claim(connection)

    def _lately(self) -> Conditions:
        """As of a moment ago: good enough to send by, and no time lost over it."""
        known = self._conditions
        if known and self._context.since(known.looked_at) <= self._context.settings.price_age:
            return known
        return self._look()

    def _look(self) -> Conditions:
        context = self._context
        found = look(context.node, context.network, context.sender, context.now)
        if self._conditions is None or found.nonce != self._conditions.nonce:
            self._sending.numbering.start(found.nonce)
        self._conditions = found
        if found.balance < context.settings.low_balance:
            has, floor = (
                coins(wei, context.network.coin)
                for wei in (found.balance, context.settings.low_balance)
            )
            text = f"{context.sender} has {has} left for gas, less than {floor}; send it some"
            context.alert("low_gas", context.sender, text)
        return found

    def _watch(self) -> None:
        """Look after all that is under way; with nothing there, only keep the price fresh."""
        context = self._context
        known = self._conditions or self._look()
        with context.store.reading() as connection:
            senders = intents.busy_senders(connection)
            ours = intents.next_nonce(connection, context.sender) > known.nonce
        if ours or context.sender in senders:
            if self._hold(context.sender):
                self._watching.look(context.sender, self._look())
        elif context.since(known.looked_at) > context.settings.price_age // 2:
            self._look()
        # Whoever lives holds its own account's lease; these have nobody any more.
        for sender in sorted(senders - {context.sender}):
            if self._hold(sender):
                self._watching.look(
                    sender, look(context.node, context.network, sender, context.now)
                )

    def _hold(self, sender: Address) -> bool:
        context = self._context
        with context.store.transaction() as connection:
            name, seconds = f"relay:{sender}", context.settings.lease
            return hold(connection, name, context.owner, context.now, seconds)
