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
from milestone_escrow.oracle.relaying.context import Desk
from milestone_escrow.oracle.relaying.intents import Attempt, Intent, Stage
from milestone_escrow.oracle.relaying.judging import Judgement, Prospect
from milestone_escrow.oracle.relaying.numbering import Call, Numbering
from milestone_escrow.oracle.relaying.refusing import (
    is_hopeless,
    is_revert,
    judge_on_chain,
    sentence,
)
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import step
from milestone_escrow.oracle.store.leases import claim

# Seconds until gas or money is asked for again where there was too little.
SHORT = 15


class Sending:
    """Sends for one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.numbering = Numbering(desk)

    def claim(self, connection: Connection) -> list[Intent]:
        """What is due, taken so that no other instance begins with it."""
        desk = self._desk
        rows = claim(
            connection,
            t.intents,
            (t.intents.c.state == Stage.PENDING.value) & (t.intents.c.not_before <= desk.now),
            owner=desk.owner,
            now=desk.now,
            seconds=desk.settings.lease,
            limit=desk.settings.claimed,
        )
        return [intents.read_intent(row) for row in rows]

    def send(self, claimed: Sequence[Intent], conditions: Conditions) -> None:
        """Send what was claimed, as far as the balance goes."""
        for place, intent in enumerate(claimed):
            lacking = self._send(intent, conditions)
            if lacking:
                # What one lacks, the others lack, too: nothing is asked about them.
                with self._desk.store.transaction() as connection:
                    for rest in claimed[place:]:
                        intents.postpone(connection, rest, self._desk.now + SHORT, lacking)
                return

    def _send(self, intent: Intent, conditions: Conditions) -> str:
        """Bring one on its way; says what is lacking where nothing can be sent now."""
        desk = self._desk
        if conditions.price is None:
            desk.alert("gas_price", desk.sender, conditions.too_dear)
            return conditions.too_dear
        try:
            gas = self._simulate(intent)
            posted = data_fee(desk.node, desk.network, intent.to, intent.data).wei
        except ChainError as error:
            self._postpone(intent, desk.settings.pause(0), str(error))
            return ""
        if gas is None:
            return ""
        step("relay.simulated")
        call = Call(intent.to, intent.data, gas)
        if not self._can_pay(conditions, gas * conditions.price.max_fee + posted):
            return "the balance does not cover gas"
        try:
            attempt = self.numbering.store(intent, call, conditions.price)
        except EscrowError as error:
            desk.alert("unsigned", desk.sender, f"nothing can be signed: {error}")
            return str(error)
        if attempt is not None:
            step("relay.signed")
            desk.count("sent", intent)
            self.broadcast(attempt, intent)
        return ""

    def _simulate(self, intent: Intent) -> int | None:
        """The gas that it takes; None where it is refused, and dealt with."""
        desk = self._desk
        request = {"from": desk.sender, "to": intent.to, "data": "0x" + intent.data.hex()}
        try:
            estimate = int(desk.node.request("eth_estimateGas", [request]), 16)
        except RpcError as error:
            if not is_revert(error):
                raise
            self._refused(intent, sentence(desk, intent, error))
            return None
        if intent.is_batch:
            # The contract never refuses what it only skips, so the states are asked, too.
            judged = judge_on_chain(desk, intent)
            if judged.prospect is not Prospect.POSSIBLE:
                self._refused(intent, judged.reason, judged)
                return None
        return estimate + estimate * GAS_MARGIN_PERCENT // 100

    def _refused(self, intent: Intent, reason: str, known: Judgement | None = None) -> None:
        """The contract would refuse it: see whether it is done, can wait, or is lost."""
        desk = self._desk
        judged = known or judge_on_chain(desk, intent)
        if judged.prospect is Prospect.LATER:
            waited = max(0, desk.now - intent.changed_at)
            self._postpone(intent, desk.settings.patience(waited), judged.reason)
            return
        self.settle(intent, judged.prospect, judged.reason or reason, reason)

    def settle(self, intent: Intent, prospect: Prospect, judged: str, reason: str) -> None:
        """An intent of which no transaction can be mined any more: end it, or begin again."""
        desk = self._desk
        now, tries = desk.now, intent.tries + 1
        with desk.writing() as connection:
            if prospect is Prospect.DONE:
                # The store may learn of it later than the node.
                later = now + desk.settings.lease
                stage, why = Stage.DROPPED, judged
                moved = intents.move(connection, now, intent, stage, why, not_before=later)
            elif intent.is_joined:
                stage, why = Stage.DROPPED, f"sent one by one from now on: {reason}"
                moved = planning.split(connection, now, intent, why)
            elif prospect is Prospect.NEVER or tries >= desk.settings.tries:
                stage, why = Stage.FAILED, reason if prospect is not Prospect.NEVER else judged
                until = now + desk.settings.rest(tries)
                moved = intents.move(
                    connection, now, intent, stage, why, not_before=until, tries=tries
                )
            else:
                stage, why = Stage.PENDING, reason
                until = now + desk.settings.pause(tries)
                moved = intents.move(
                    connection, now, intent, stage, why, not_before=until, tries=tries
                )
        if not moved:
            return
        desk.count(stage.value, intent, why)
        if stage is Stage.FAILED:
            desk.alert("failed", intent.key, f"{intent.key} cannot be brought on chain: {why}")

    # Broadcasts and replacements

    def broadcast(self, attempt: Attempt, intent: Intent | None) -> bool:
        """Hand a stored transaction to the node, the very same bytes however often."""
        desk = self._desk
        verb = intent.verb if intent else "use up a nonce"
        signed = Signed(attempt.raw, attempt.nonce, attempt.sender)
        try:
            broadcast(desk.node, signed, verb, desk.network)
        except ChainError as error:
            desk.alert("refused", attempt.name, str(error))
            return False
        step("relay.broadcast")
        desk.figures.broadcasts.inc()
        with desk.writing() as connection:
            connection.execute(
                update(t.attempts)
                .where(t.attempts.c.hash == attempt.hash)
                .values(broadcast_at=desk.now)
            )
            if attempt.broadcast_at is None:
                subject = intent.subject if intent else attempt.sender
                audit_log.record(
                    connection,
                    desk.now,
                    intents.ACTOR,
                    "transaction.broadcast",
                    subject,
                    transaction=attempt.name,
                    nonce=attempt.nonce,
                    sender=attempt.sender,
                )
        step("relay.recorded")
        return True

    def fill(self, conditions: Conditions) -> None:
        """Use up a nonce that others wait for, with a transfer of nothing to oneself."""
        if conditions.price is None:
            return
        transfer = self._nothing()
        try:
            attempt = self.numbering.store(None, transfer, conditions.price)
        except EscrowError as error:
            self._desk.alert("unsigned", self._desk.sender, f"nothing can be signed: {error}")
            return
        assert attempt is not None
        step("relay.signed")
        self.broadcast(attempt, None)

    def replace(self, old: Attempt, intent: Intent | None) -> bool:
        """Another transaction of the same nonce that offers a tenth more, or what is due now.

        Where the intent's effect is there already, or out of reach, it only uses up the nonce.
        """
        desk = self._desk
        try:
            price = replacing(old.price, desk.node, desk.network)
        except ChainError as error:
            desk.alert("gas_price", old.name, error.message)
            return False
        purpose: int | None
        try:
            wanted = intent is not None and not is_hopeless(judge_on_chain(desk, intent))
            if intent is not None and wanted:
                purpose, call = intent.id, Call(intent.to, intent.data, old.gas)
            else:
                purpose, call = None, self._nothing()
            attempt = self.numbering.store_again(old, purpose, call, price)
        except ChainError:
            return False
        except EscrowError as error:
            desk.alert("unsigned", desk.sender, f"nothing can be signed: {error}")
            return False
        if attempt is None:
            return False
        step("relay.replaced")
        return self.broadcast(attempt, intent)

    def _nothing(self) -> Call:
        """What uses up a nonce at the least cost. Some accounts have code, and some rollups count
        the data's price as gas, so it is not the same everywhere."""
        desk = self._desk
        request = {"from": desk.sender, "to": desk.sender}
        estimate = int(desk.node.request("eth_estimateGas", [request]), 16)
        return Call(desk.sender, b"", estimate + estimate * GAS_MARGIN_PERCENT // 100)

    def _can_pay(self, conditions: Conditions, cost: int) -> bool:
        """Whether the balance covers the worst case of all that is under way, and this."""
        desk = self._desk
        with desk.store.reading() as connection:
            open_ones = intents.from_nonce(connection, desk.sender, conditions.nonce)
        bound = sum(max(a.worst_cost for a in each) for each in open_ones.values())
        if conditions.balance >= bound + cost:
            return True
        needed, has = (coins(n, desk.network.coin) for n in (bound + cost, conditions.balance))
        desk.alert(
            "low_gas",
            desk.sender,
            f"{desk.sender} has {has}, but up to {needed} may be needed for what is under way: "
            "nothing new is sent until it has more",
        )
        return False

    def _postpone(self, intent: Intent, seconds: int, reason: str) -> None:
        with self._desk.store.transaction() as connection:
            intents.postpone(connection, intent, self._desk.now + seconds, reason)
