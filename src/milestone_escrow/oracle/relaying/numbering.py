"""Nonces and signatures: a nonce is taken in the transaction that stores what was signed with it.

So there is no nonce without its transaction, no transaction that a crash could lose, and, with one
key in several instances, no nonce that two of them use.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from milestone_escrow.chain.refusals.attempts import Attempt as Tried
from milestone_escrow.chain.send.fees import Price
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.context import RelayContext
from milestone_escrow.oracle.relaying.intents import Intent, IntentStage, SignedTransaction
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new, serialize
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hashing import keccak


@dataclass(frozen=True, slots=True)
class RelayedCall:
    """What a transaction does, whoever sends it at whatever price."""

    to: Address
    data: bytes
    gas: int


class Numbering:
    """The nonces of one account."""

    def __init__(self, context: RelayContext) -> None:
        self._context = context
        self.holes: frozenset[int] = frozenset()
        """Nonces below the next one that nothing is stored for, as the last look found them."""

    def start(self, chain_nonce: int) -> None:
        """The account's next nonce in the store is never below the chain's."""
        context = self._context
        with context.store.transaction() as connection:
            serialize(connection, f"nonce:{context.sender}")
            row = {"sender": context.sender, "next": chain_nonce}
            if not insert_new(connection, t.nonces, row, "sender"):
                connection.execute(
                    update(t.nonces)
                    .where(t.nonces.c.sender == context.sender, t.nonces.c.next < chain_nonce)
                    .values(next=chain_nonce)
                )

    def store(
        self, intent: Intent | None, call: RelayedCall, price: Price
    ) -> SignedTransaction | None:
        """Nonce, signature and stage in one transaction; None where the intent is not ours."""
        context = self._context
        with context.store.transaction() as connection:
            serialize(connection, f"nonce:{context.sender}")
            if intent is not None and not self._take(connection, intent):
                return None
            nonce = self._nonce(connection)
            attempt = self._sign(intent.id if intent else None, nonce, call, price)
            intents.keep(connection, attempt)
            return attempt

    def store_again(
        self, old: SignedTransaction, intent_id: int | None, call: RelayedCall, price: Price
    ) -> SignedTransaction | None:
        """Another signature for an old nonce; None where another instance was first."""
        with self._context.store.transaction() as connection:
            serialize(connection, f"nonce:{old.sender}")
            known = intents.from_nonce(connection, old.sender, old.nonce)[old.nonce]
            if known[-1].hash != old.hash:
                return None
            most = max((a.gas for a in known if a.intent_id is not None), default=0)
            gas = max(call.gas, most) if intent_id is not None else call.gas
            attempt = self._sign(intent_id, old.nonce, RelayedCall(call.to, call.data, gas), price)
            intents.keep(connection, attempt)
            return attempt

    def _take(self, connection: Connection, intent: Intent) -> bool:
        mine = (t.intents.c.id == intent.id) & (t.intents.c.owner == self._context.owner)
        taken = connection.execute(
            update(t.intents)
            .where(mine, t.intents.c.state == IntentStage.PENDING.value)
            .values(
                state=IntentStage.SENT.value,
                reason="",
                changed_at=self._context.now,
                owner=None,
                lease_until=0,
            )
        )
        return taken.rowcount == 1

    def _nonce(self, connection: Connection) -> int:
        """The lowest that nothing is stored for: a hole, else the next one."""
        sender = self._context.sender
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

    def _sign(
        self, intent_id: int | None, nonce: int, call: RelayedCall, price: Price
    ) -> SignedTransaction:
        context = self._context
        prepared = Prepared(
            verb="relay",
            sender=context.sender,
            to=call.to,
            data=call.data,
            value=0,
            gas=call.gas,
            max_fee_per_gas=price.max_fee,
            max_priority_fee_per_gas=price.tip,
            chain_id=context.network.chain_id,
            attempt=Tried("relay", context.sender),
            legacy=price.legacy,
        )
        raw = context.signer.sign_transaction(prepared.fields(nonce))
        return SignedTransaction(
            hash=keccak(raw),
            intent_id=intent_id,
            sender=context.sender,
            nonce=nonce,
            raw=raw,
            gas=call.gas,
            max_fee=price.max_fee,
            tip=price.tip,
            signed_at=context.now,
            broadcast_at=None,
            block=None,
            block_hash=None,
        )
