"""What became of what was sent: every hash of a nonce is looked for, until a final block has one.

The chain's own count of an account's transactions divides its nonces. From there on each one must
have a transaction on its way: what is stored goes out again, what waits too long is replaced, and
what is missing is filled. Below it receipts tell, but never one answer alone: a node that lags
behind has none for what is mined, and a nonce is another's only once that is certain.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.broadcasting import Sending
from milestone_escrow.oracle.relaying.conditions import Conditions
from milestone_escrow.oracle.relaying.context import RelayContext, final_number
from milestone_escrow.oracle.relaying.intents import (
    UNDER_WAY,
    Intent,
    IntentStage,
    SignedTransaction,
)
from milestone_escrow.oracle.relaying.judging import Prospect
from milestone_escrow.oracle.relaying.refusing import judge_on_chain, refusal_now
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.protocol.eip712 import Address

Receipt = Mapping[str, Any]
# How many nonces one look cares for; the lowest are what the others wait for.
SLOTS = 100


class Watching:
    """Follows one account's transactions. What it remembers, it can do without after a restart."""

    def __init__(self, context: RelayContext, sending: Sending) -> None:
        self._context = context
        self._sending = sending
        # Per intent: how often no receipt was found, and the head when that began.
        self._empty: dict[int, tuple[int, int]] = {}
        # The head and the time when a transaction was first seen waiting: another instance's
        # clock, which may have signed it, may be wrong.
        self._waiting_since: dict[tuple[Address, bytes], tuple[int, int]] = {}

    def look(self, sender: Address, conditions: Conditions) -> None:
        """One look at everything of an account that is not final.

        Raises:
            ChainError: the node does not answer; the next look goes on.
        """
        with self._context.store.reading() as connection:
            under_way = intents.in_stages(connection, UNDER_WAY)
            attempts = intents.attempts_of(connection, [intent.id for intent in under_way])
            final = final_number(connection)
            hashes = _followed(connection)
        mine = {
            intent.id: intent
            for intent in under_way
            if any(a.sender == sender for a in attempts[intent.id])
        }
        for intent in mine.values():
            own = attempts[intent.id]
            # What a node cannot say about one must not keep the others waiting.
            with contextlib.suppress(RpcError):
                if intent.stage is IntentStage.SENT:
                    self._sent(intent, own, sender, conditions, final)
                else:
                    self._mined(intent, own, sender, conditions, final, hashes)
        self._nonces(sender, mine, conditions)

    # Below the chain's count

    def _sent(
        self,
        intent: Intent,
        attempts: Sequence[SignedTransaction],
        sender: Address,
        conditions: Conditions,
        final: int,
    ) -> None:
        own = [a for a in attempts if a.sender == sender]
        used = [a for a in own if a.nonce < conditions.nonce]
        if not used:
            self._empty.pop(intent.id, None)
            return
        # The last one signed is the likeliest; what another account sent for it counts, too.
        likely = [*reversed(used), *(a for a in attempts if a.sender != sender)]
        found = [(a, r) for a in likely if (r := self._receipt(a)) is not None]
        for attempt, receipt in found:
            if attempt.intent_id == intent.id and int(receipt["status"], 16) == 1:
                self._came_through(intent, attempt, receipt)
                return
        if len(used) < len(own):
            return  # one of its transactions can still be mined
        spent = [r for a, r in found if a.sender == sender]
        latest = max(a.nonce for a in own)
        told = {a.nonce for a, _ in found}
        if latest in told:
            self._empty.pop(intent.id, None)
            blocks = [int(r["blockNumber"], 16) for r in spent]
            if self._is_deep(max(blocks), conditions, final):
                self._spent(intent, max(blocks))
            return
        looks, since = self._empty.get(intent.id, (0, conditions.head))
        self._empty[intent.id] = (looks + 1, since)
        enough = looks + 1 >= self._context.settings.empty_looks
        if enough and self._is_deep(since, conditions, final):
            del self._empty[intent.id]
            self._settle(intent, "another transaction of its account has used its nonce")

    def _spent(self, intent: Intent, block: int) -> None:
        """Its nonce is used up, for certain, without its effect."""
        reason = refusal_now(self._context, intent, hex(block - 1))
        self._settle(intent, reason or "its transaction was mined, but failed")

    def _settle(self, intent: Intent, reason: str) -> None:
        judged = judge_on_chain(self._context, intent)
        # What must wait waits as a pending intent.
        prospect = Prospect.POSSIBLE if judged.prospect is Prospect.LATER else judged.prospect
        self._sending.settle(intent, prospect, judged.reason, reason)

    def _came_through(self, intent: Intent, attempt: SignedTransaction, receipt: Receipt) -> None:
        context = self._context
        block, block_hash = int(receipt["blockNumber"], 16), _bytes(receipt["blockHash"])
        self._empty.pop(intent.id, None)
        with context.writing() as connection:
            moved = intents.move(
                connection,
                context.now,
                intent,
                IntentStage.MINED,
                transaction=attempt.name,
                block=block,
            )
            if moved:
                _place(connection, attempt, block, block_hash)
        if moved:
            failpoint("relay.mined")
            context.count("mined", intent)

    def _mined(
        self,
        intent: Intent,
        attempts: Sequence[SignedTransaction],
        sender: Address,
        conditions: Conditions,
        final: int,
        hashes: Mapping[int, bytes],
    ) -> None:
        # The indexer forgets the block of what it had to undo.
        placed = next((a for a in attempts if a.block is not None), None)
        mined = placed or next(a for a in reversed(attempts) if a.intent_id is not None)
        if mined.sender != sender:
            return
        if mined.block is None or mined.nonce >= conditions.nonce:
            self._look_again(intent, mined, attempts)
            return
        if mined.block > final:
            if hashes.get(mined.block) in (None, mined.block_hash):
                return
        else:
            block = self._context.node.request("eth_getBlockByNumber", [hex(mined.block), False])
            if block and _bytes(block["hash"]) == mined.block_hash:
                self._final(intent, mined)
                return
        self._look_again(intent, mined, attempts)

    def _final(self, intent: Intent, mined: SignedTransaction) -> None:
        context = self._context
        with context.writing() as connection:
            moved = intents.move(
                connection,
                context.now,
                intent,
                IntentStage.FINAL,
                transaction=mined.name,
                block=mined.block,
            )
        if moved:
            failpoint("relay.final")
            context.count("final", intent)

    def _look_again(
        self, intent: Intent, mined: SignedTransaction, attempts: Sequence[SignedTransaction]
    ) -> None:
        """Its block is no longer there: it may be in another one, or has to go out again."""
        context = self._context
        for attempt in reversed(attempts):
            receipt = self._receipt(attempt)
            if receipt is None or attempt.intent_id != intent.id:
                continue
            if int(receipt["status"], 16) != 1:
                continue
            block, block_hash = int(receipt["blockNumber"], 16), _bytes(receipt["blockHash"])
            if (attempt.hash, block, block_hash) != (mined.hash, mined.block, mined.block_hash):
                with context.store.transaction() as connection:
                    _place(connection, mined, None, None)
                    _place(connection, attempt, block, block_hash)
            return
        with context.writing() as connection:
            reason = "the chain has taken its block back"
            moved = intents.move(connection, context.now, intent, IntentStage.SENT, reason)
            if moved:
                _place(connection, mined, None, None)
        if moved:
            failpoint("relay.undone")
            context.count("undone", intent)
            self._sending.broadcast(mined, intent)

    # From the chain's count on

    def _nonces(self, sender: Address, mine: Mapping[int, Intent], conditions: Conditions) -> None:
        context = self._context
        with context.store.reading() as connection:
            slots = intents.from_nonce(connection, sender, conditions.nonce)
            following = intents.next_nonce(connection, sender)
        span = range(conditions.nonce, min(following, conditions.nonce + SLOTS))
        if sender == context.sender:
            # First: what waits above a hole is taken by no node that is strict about it.
            holes = [nonce for nonce in span if nonce not in slots]
            self._fill(holes, max(slots, default=-1), conditions)
        waiting = {(sender, attempt.hash) for each in slots.values() for attempt in each}
        for key in [key for key in self._waiting_since if key[0] == sender]:
            if key not in waiting:
                del self._waiting_since[key]
        for nonce in span:
            if nonce in slots and not self._push(slots[nonce], mine, conditions):
                return

    def _push(
        self, slot: Sequence[SignedTransaction], mine: Mapping[int, Intent], conditions: Conditions
    ) -> bool:
        """Keep one nonce's transaction on its way; False where the node takes nothing now."""
        context, best = self._context, slot[-1]
        intent = next(
            (mine[a.intent_id] for a in slot if a.intent_id and a.intent_id in mine), None
        )
        key, now = (best.sender, best.hash), (conditions.head, context.now)
        since, at = self._waiting_since.setdefault(key, now)
        due = best.sender == context.sender and self._is_due(best, since, conditions)
        if due and self._sending.replace(best, intent):
            return True
        if context.since(at) >= context.settings.abandon_after:
            self._stuck(best, intent)
        told = best.broadcast_at
        if told is None or context.since(told) >= context.settings.rebroadcast_after:
            return self._sending.broadcast(best, intent) or told is not None
        return True

    def _is_due(self, best: SignedTransaction, since: int, conditions: Conditions) -> bool:
        """Whether a better paid one has to take its place."""
        settings = self._context.settings
        if best.broadcast_at is None and best.max_fee >= conditions.base:
            return False
        waited = self._context.since(best.signed_at) >= settings.replace_after
        if best.nonce > conditions.nonce:
            return waited and best.max_fee < conditions.base
        return waited and conditions.head - since >= settings.replace_blocks

    def _stuck(self, best: SignedTransaction, intent: Intent | None) -> None:
        context = self._context
        text = f"the transaction {best.name} of {best.sender} waits in vain"
        context.alert("stuck", best.name, f"{text}; look at its fee and at the node")
        if best.sender == context.sender or intent is None or intent.stage is not IntentStage.SENT:
            return
        if best.signed_at < intent.changed_at:
            return  # it was given up before, and sent from another account
        # Its account has no relayer any more. Should both come through, the second has no effect.
        self._settle(intent, f"{best.sender} does not get it through")

    def _fill(self, holes: Sequence[int], highest: int, conditions: Conditions) -> None:
        """A nonce that nothing is stored for: the next intent takes it, unless others wait."""
        context = self._context
        self._sending.numbering.holes = frozenset()
        if not holes:
            return
        pending = context.node.request("eth_getTransactionCount", [context.sender, "pending"])
        # What the node has waiting for them is not ours, but no hole either.
        open_ones = [nonce for nonce in holes if nonce >= int(pending, 16)]
        self._sending.numbering.holes = frozenset(open_ones)
        for nonce in open_ones:
            if nonce < highest and not self._has_pending():
                self._sending.fill(conditions)

    def _has_pending(self) -> bool:
        context = self._context
        due = (t.intents.c.state == IntentStage.PENDING.value) & (
            t.intents.c.not_before <= context.now
        )
        with context.store.reading() as connection:
            found = connection.execute(select(t.intents.c.id).where(due).limit(1)).first()
        return found is not None

    # Details

    def _is_deep(self, block: int, conditions: Conditions, final: int) -> bool:
        """Whether a block is as deep as the network's table asks for."""
        network = self._context.network
        if not network.confirmations:
            return final >= block
        return conditions.head - block + 1 >= network.confirmations

    def _receipt(self, attempt: SignedTransaction) -> Receipt | None:
        answer = self._context.node.request("eth_getTransactionReceipt", [attempt.name])
        return answer if answer and answer.get("blockNumber") else None


def _followed(connection: Connection) -> dict[int, bytes]:
    """The hashes of the blocks that the store follows and that are not final."""
    rows = connection.execute(select(t.blocks.c.number, t.blocks.c.hash))
    return {row.number: row.hash for row in rows}


def _place(
    connection: Connection, attempt: SignedTransaction, block: int | None, block_hash: bytes | None
) -> None:
    where = t.attempts.c.hash == attempt.hash
    connection.execute(update(t.attempts).where(where).values(block=block, block_hash=block_hash))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
