"""The way of an intent to a node: simulated, priced, signed and stored, and only then broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak
from sqlalchemy import Connection, select, update

from milestone_escrow.chain.attempts import Attempt as Tried
from milestone_escrow.chain.broadcast import Signed, broadcast
from milestone_escrow.chain.fees import Price, coins, data_fee, replacing
from milestone_escrow.chain.rpc import RpcError
from milestone_escrow.chain.transactions import GAS_MARGIN_PERCENT, Prepared
from milestone_escrow.errors import ChainError, EscrowError
from milestone_escrow.oracle.relaying import intents, planning
from milestone_escrow.oracle.relaying.conditions import Conditions
from milestone_escrow.oracle.relaying.desk import BROADCASTS, Desk
from milestone_escrow.oracle.relaying.intents import Attempt, Intent, Stage
from milestone_escrow.oracle.relaying.judging import Prospect
from milestone_escrow.oracle.relaying.refusing import (
    is_hopeless,
    is_revert,
    judge_on_chain,
    sentence,
)
from milestone_escrow.oracle.store import audit
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.leases import claim
from milestone_escrow.oracle.store.steps import step
from milestone_escrow.oracle.store.store import insert_new, serialize
from milestone_escrow.protocol.eip712 import Address

# A plain transfer, which is what uses up a nonce at the least cost.
TRANSFER_GAS = 21_000
# Seconds until gas or money is asked for again where there was too little.
SHORT = 15


@dataclass(frozen=True, slots=True)
class _Call:
    to: Address
    data: bytes
    gas: int


class Sending:
    """Sends for one account. Nonces come from the store, in the transaction that uses them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.holes: frozenset[int] = frozenset()
        """Nonces below the next one that nothing is stored for, as the last look found them."""

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
        call = _Call(intent.to, intent.data, gas)
        if not self._can_pay(conditions, gas * conditions.price.max_fee + posted):
            return "the balance does not cover gas"
        try:
            attempt = self._store(intent, call, conditions.price)
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
        return estimate + estimate * GAS_MARGIN_PERCENT // 100

    def _refused(self, intent: Intent, reason: str) -> None:
        """The contract would refuse it: see whether it is done, can wait, or is lost."""
        desk = self._desk
        judged = judge_on_chain(desk, intent)
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

    # Nonces and signatures

    def start(self, chain_nonce: int) -> None:
        """The account's next nonce in the store is never below the chain's."""
        desk = self._desk
        with desk.store.transaction() as connection:
            serialize(connection, f"nonce:{desk.sender}")
            row = {"sender": desk.sender, "next": chain_nonce}
            if not insert_new(connection, t.nonces, row, "sender"):
                connection.execute(
                    update(t.nonces)
                    .where(t.nonces.c.sender == desk.sender, t.nonces.c.next < chain_nonce)
                    .values(next=chain_nonce)
                )

    def _store(self, intent: Intent | None, call: _Call, price: Price) -> Attempt | None:
        """Nonce, signature and stage in one transaction; None where the intent is not ours."""
        desk = self._desk
        with desk.store.transaction() as connection:
            serialize(connection, f"nonce:{desk.sender}")
            if intent is not None and not self._take(connection, intent):
                return None
            nonce = self._nonce(connection)
            attempt = self._sign(intent.id if intent else None, nonce, call, price)
            intents.keep(connection, attempt)
            return attempt

    def _take(self, connection: Connection, intent: Intent) -> bool:
        mine = (t.intents.c.id == intent.id) & (t.intents.c.owner == self._desk.owner)
        taken = connection.execute(
            update(t.intents)
            .where(mine, t.intents.c.state == Stage.PENDING.value)
            .values(
                state=Stage.SENT.value,
                reason="",
                changed_at=self._desk.now,
                owner=None,
                lease_until=0,
            )
        )
        return taken.rowcount == 1

    def _nonce(self, connection: Connection) -> int:
        """The lowest that nothing is stored for: a hole, else the next one."""
        sender = self._desk.sender
        where = t.nonces.c.sender == sender
        following = int(connection.execute(select(t.nonces.c.next).where(where)).scalar_one())
        used = set(
            connection.execute(
                select(t.attempts.c.nonce).where(
                    t.attempts.c.sender == sender, t.attempts.c.nonce.in_(self.holes)
                )
            ).scalars()
        )
        for hole in sorted(self.holes):
            if hole < following and hole not in used:
                return hole
        connection.execute(update(t.nonces).where(where).values(next=following + 1))
        return following

    def _sign(self, intent_id: int | None, nonce: int, call: _Call, price: Price) -> Attempt:
        desk = self._desk
        prepared = Prepared(
            verb="relay",
            sender=desk.sender,
            to=call.to,
            data=call.data,
            value=0,
            gas=call.gas,
            max_fee_per_gas=price.max_fee,
            max_priority_fee_per_gas=price.tip,
            chain_id=desk.network.chain_id,
            attempt=Tried("relay", desk.sender),
            legacy=price.legacy,
        )
        raw = desk.signer.sign_transaction(prepared.fields(nonce))
        return Attempt(
            hash=keccak(raw),
            intent_id=intent_id,
            sender=desk.sender,
            nonce=nonce,
            raw=raw,
            gas=call.gas,
            max_fee=price.max_fee,
            tip=price.tip,
            signed_at=desk.now,
            broadcast_at=None,
            block=None,
            block_hash=None,
        )

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
        BROADCASTS.inc()
        with desk.writing() as connection:
            connection.execute(
                update(t.attempts)
                .where(t.attempts.c.hash == attempt.hash)
                .values(broadcast_at=desk.now)
            )
            if attempt.broadcast_at is None:
                subject = intent.subject if intent else attempt.sender
                audit.record(
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
        transfer = _Call(self._desk.sender, b"", TRANSFER_GAS)
        attempt = self._store(None, transfer, conditions.price)
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
        try:
            wanted = intent is not None and not is_hopeless(judge_on_chain(desk, intent))
        except ChainError:
            return False
        with desk.store.transaction() as connection:
            serialize(connection, f"nonce:{desk.sender}")
            known = intents.from_nonce(connection, old.sender, old.nonce)[old.nonce]
            if known[-1].hash != old.hash:
                return False
            call = _Call(desk.sender, b"", TRANSFER_GAS)
            if intent is not None and wanted:
                call = _Call(intent.to, intent.data, max(a.gas for a in known))
            attempt = self._sign(intent.id if intent and wanted else None, old.nonce, call, price)
            intents.keep(connection, attempt)
        step("relay.replaced")
        return self.broadcast(attempt, intent)

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
