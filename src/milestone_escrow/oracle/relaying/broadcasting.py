"""The way of an intent to a node: simulated, priced, signed and stored, and only then broadcast."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, update

from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.chain.send.broadcast import Signed, broadcast
from milestone_escrow.chain.send.fees import coins, data_fee, replacing
from milestone_escrow.chain.send.transactions import GAS_MARGIN_PERCENT
from milestone_escrow.errors import ChainError, EscrowError
from milestone_escrow.oracle.relaying import intents, planning
from milestone_escrow.oracle.relaying.conditions import Conditions
from milestone_escrow.oracle.relaying.context import RelayContext
from milestone_escrow.oracle.relaying.intents import Intent, IntentStage, SignedTransaction
from milestone_escrow.oracle.relaying.judging import Forecast, Prospect
from milestone_escrow.oracle.relaying.numbering import Numbering, RelayedCall
from milestone_escrow.oracle.relaying.refusing import (
    is_hopeless,
    is_revert,
    judge_on_chain,
    sentence,
)
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.leases import claim

# Seconds until gas or money is asked for again where there was too little.
SHORT = 15


class Sending:
    """Sends for one account."""

    def __init__(self, context: RelayContext) -> None:
        self._context = context
        self.numbering = Numbering(context)

    def claim(self, connection: Connection) -> list[Intent]:
        """What is due, taken so that no other instance begins with it."""
        context = self._context
        rows = claim(
            connection,
            t.intents,
            (t.intents.c.state == IntentStage.PENDING.value)
            & (t.intents.c.not_before <= context.now),
            owner=context.owner,
            now=context.now,
            seconds=context.settings.lease,
            limit=context.settings.claimed,
        )
        return [intents.read_intent(row) for row in rows]

    def send(self, claimed: Sequence[Intent], conditions: Conditions) -> None:
        """Send what was claimed, as far as the balance goes."""
        for place, intent in enumerate(claimed):
            lacking = self._send(intent, conditions)
            if lacking:
                # What one lacks, the others lack, too: nothing is asked about them.
                with self._context.store.transaction() as connection:
                    for rest in claimed[place:]:
                        intents.postpone(connection, rest, self._context.now + SHORT, lacking)
                return

    def _send(self, intent: Intent, conditions: Conditions) -> str:
        """Bring one on its way; says what is lacking where nothing can be sent now."""
        context = self._context
        if conditions.price is None:
            context.alert("gas_price", context.sender, conditions.too_dear)
            return conditions.too_dear
        try:
            gas = self._simulate(intent)
            posted = data_fee(context.node, context.network, intent.to, intent.data).wei
        except ChainError as error:
            self._postpone(intent, context.settings.pause(0), str(error))
            return ""
        if gas is None:
            return ""
        failpoint("relay.simulated")
        call = RelayedCall(intent.to, intent.data, gas)
        if not self._can_pay(conditions, gas * conditions.price.max_fee + posted):
            return "the balance does not cover gas"
        try:
            attempt = self.numbering.store(intent, call, conditions.price)
        except EscrowError as error:
            context.alert("unsigned", context.sender, f"nothing can be signed: {error}")
            return str(error)
        if attempt is not None:
            failpoint("relay.signed")
            context.count("sent", intent)
            self.broadcast(attempt, intent)
        return ""

    def _simulate(self, intent: Intent) -> int | None:
        """The gas that it takes; None where it is refused, and dealt with."""
        context = self._context
        request = {"from": context.sender, "to": intent.to, "data": "0x" + intent.data.hex()}
        try:
            estimate = int(context.node.request("eth_estimateGas", [request]), 16)
        except RpcError as error:
            if not is_revert(error):
                raise
            self._refused(intent, sentence(context, intent, error))
            return None
        if intent.is_batch:
            # The contract never refuses what it only skips, so the states are asked, too.
            judged = judge_on_chain(context, intent)
            if judged.prospect is not Prospect.POSSIBLE:
                self._refused(intent, judged.reason, judged)
                return None
        return estimate + estimate * GAS_MARGIN_PERCENT // 100

    def _refused(self, intent: Intent, reason: str, known: Forecast | None = None) -> None:
        """The contract would refuse it: see whether it is done, can wait, or is lost."""
        context = self._context
        judged = known or judge_on_chain(context, intent)
        if judged.prospect is Prospect.LATER:
            waited = max(0, context.now - intent.changed_at)
            self._postpone(intent, context.settings.patience(waited), judged.reason)
            return
        self.settle(intent, judged.prospect, judged.reason or reason, reason)

    def settle(self, intent: Intent, prospect: Prospect, judged: str, reason: str) -> None:
        """An intent of which no transaction can be mined any more: end it, or begin again."""
        context = self._context
        now, tries = context.now, intent.tries + 1
        with context.writing() as connection:
            if prospect is Prospect.DONE:
                # The store may learn of it later than the node.
                later = now + context.settings.lease
                stage, why = IntentStage.DROPPED, judged
                moved = intents.move(connection, now, intent, stage, why, not_before=later)
            elif intent.is_joined:
                stage, why = IntentStage.DROPPED, f"sent one by one from now on: {reason}"
                moved = planning.split(connection, now, intent, why)
            elif prospect is Prospect.NEVER or tries >= context.settings.tries:
                stage, why = (
                    IntentStage.FAILED,
                    reason if prospect is not Prospect.NEVER else judged,
                )
                until = now + context.settings.rest(tries)
                moved = intents.move(
                    connection, now, intent, stage, why, not_before=until, tries=tries
                )
            else:
                stage, why = IntentStage.PENDING, reason
                until = now + context.settings.pause(tries)
                moved = intents.move(
                    connection, now, intent, stage, why, not_before=until, tries=tries
                )
        if not moved:
            return
        context.count(stage.value, intent, why)
        if stage is IntentStage.FAILED:
            context.alert("failed", intent.key, f"{intent.key} cannot be brought on chain: {why}")

    # Broadcasts and replacements

    def broadcast(self, attempt: SignedTransaction, intent: Intent | None) -> bool:
        """Hand a stored transaction to the node, the very same bytes however often."""
        context = self._context
        verb = intent.verb if intent else "use up a nonce"
        signed = Signed(attempt.raw, attempt.nonce, attempt.sender)
        try:
            broadcast(context.node, signed, verb, context.network)
        except ChainError as error:
            context.alert("refused", attempt.name, str(error))
            return False
        failpoint("relay.broadcast")
        context.figures.broadcasts.inc()
        with context.writing() as connection:
            connection.execute(
                update(t.attempts)
                .where(t.attempts.c.hash == attempt.hash)
                .values(broadcast_at=context.now)
            )
            if attempt.broadcast_at is None:
                subject = intent.subject if intent else attempt.sender
                audit_log.record(
                    connection,
                    context.now,
                    intents.ACTOR,
                    "transaction.broadcast",
                    subject,
                    transaction=attempt.name,
                    nonce=attempt.nonce,
                    sender=attempt.sender,
                )
        failpoint("relay.recorded")
        return True

    def fill(self, conditions: Conditions) -> None:
        """Use up a nonce that others wait for, with a transfer of nothing to oneself."""
        if conditions.price is None:
            return
        transfer = self._nothing()
        try:
            attempt = self.numbering.store(None, transfer, conditions.price)
        except EscrowError as error:
            self._context.alert("unsigned", self._context.sender, f"nothing can be signed: {error}")
            return
        assert attempt is not None
        failpoint("relay.signed")
        self.broadcast(attempt, None)

    def replace(self, old: SignedTransaction, intent: Intent | None) -> bool:
        """Another transaction of the same nonce that offers a tenth more, or what is due now.

        Where the intent's effect is there already, or out of reach, it only uses up the nonce.
        """
        context = self._context
        try:
            price = replacing(old.price, context.node, context.network)
        except ChainError as error:
            context.alert("gas_price", old.name, error.message)
            return False
        purpose: int | None
        try:
            wanted = intent is not None and not is_hopeless(judge_on_chain(context, intent))
            if intent is not None and wanted:
                purpose, call = intent.id, RelayedCall(intent.to, intent.data, old.gas)
            else:
                purpose, call = None, self._nothing()
            attempt = self.numbering.store_again(old, purpose, call, price)
        except ChainError:
            return False
        except EscrowError as error:
            context.alert("unsigned", context.sender, f"nothing can be signed: {error}")
            return False
        if attempt is None:
            return False
        failpoint("relay.replaced")
        return self.broadcast(attempt, intent)

    def _nothing(self) -> RelayedCall:
        """What uses up a nonce at the least cost. Some accounts have code, and some rollups count
        the data's price as gas, so it is not the same everywhere."""
        context = self._context
        request = {"from": context.sender, "to": context.sender}
        estimate = int(context.node.request("eth_estimateGas", [request]), 16)
        return RelayedCall(context.sender, b"", estimate + estimate * GAS_MARGIN_PERCENT // 100)

    def _can_pay(self, conditions: Conditions, cost: int) -> bool:
        """Whether the balance covers the worst case of all that is under way, and this."""
        context = self._context
        with context.store.reading() as connection:
            open_ones = intents.from_nonce(connection, context.sender, conditions.nonce)
        bound = sum(max(a.worst_cost for a in each) for each in open_ones.values())
        if conditions.balance >= bound + cost:
            return True
        needed, has = (coins(n, context.network.coin) for n in (bound + cost, conditions.balance))
        context.alert(
            "low_gas",
            context.sender,
            f"{context.sender} has {has}, but up to {needed} may be needed for what is under way: "
            "nothing new is sent until it has more",
        )
        return False

    def _postpone(self, intent: Intent, seconds: int, reason: str) -> None:
        with self._context.store.transaction() as connection:
            intents.postpone(connection, intent, self._context.now + seconds, reason)
