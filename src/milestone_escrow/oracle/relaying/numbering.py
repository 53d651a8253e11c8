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
from milestone_escrow.oracle.relaying.context import Desk
from milestone_escrow.oracle.relaying.intents import Attempt, Intent, Stage
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new, serialize
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hashing import keccak


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does, whoever sends it at whatever price."""

    to: Address
    data: bytes
    gas: int


class Numbering:
    """The nonces of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.holes: frozenset[int] = frozenset()
        """Nonces below the next one that nothing is stored for, as the last look found them."""

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

    def store(self, intent: Intent | None, call: Call, price: Price) -> Attempt | None:
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

    def store_again(
        self, old: Attempt, intent_id: int | None, call: Call, price: Price
    ) -> Attempt | None:
        """Another signature for an old nonce; None where another instance was first."""
        with self._desk.store.transaction() as connection:
            serialize(connection, f"nonce:{old.sender}")
            known = intents.from_nonce(connection, old.sender, old.nonce)[old.nonce]
            if known[-1].hash != old.hash:
                return None
            most = max((a.gas for a in known if a.intent_id is not None), default=0)
            gas = max(call.gas, most) if intent_id is not None else call.gas
            attempt = self._sign(intent_id, old.nonce, Call(call.to, call.data, gas), price)
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

    def _sign(self, intent_id: int | None, nonce: int, call: Call, price: Price) -> Attempt:
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
