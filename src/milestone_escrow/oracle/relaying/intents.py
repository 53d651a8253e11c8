"""What is to be done on chain, and the transactions that were signed for it, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from milestone_escrow.chain.send.fees import Price
from milestone_escrow.oracle.store import aside, audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new
from milestone_escrow.protocol.eip712 import Address

ACTOR = "relayer"
# Databases take only so many parameters at a time.
_CHUNK = 5_000


class IntentStage(str, Enum):
    """Where an intent stands. `SENT`: a signed transaction of it is stored and can be mined."""

    PENDING = "pending"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    DROPPED = "dropped"
    FAILED = "failed"


BATCH = "batch:"
"""How the keys of batches begin."""

UNDER_WAY = (IntentStage.SENT.value, IntentStage.MINED.value)
LIVE = (IntentStage.PENDING.value, *UNDER_WAY)


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing to be done on chain; `digests` are the attestations that it brings there."""

    id: int
    key: str
    verb: str
    agreement_id: bytes | None
    milestone: int | None
    digests: tuple[bytes, ...]
    to: Address
    data: bytes
    stage: IntentStage
    reason: str
    tries: int
    changed_at: int
    not_before: int

    @property
    def subject(self) -> str:
        """What the audit log calls it."""
        return (
            audit_log.subject_of(self.agreement_id, self.milestone)
            if self.agreement_id
            else self.key
        )

    @property
    def is_joined(self) -> bool:
        """Whether it is several quorums in one transaction, which can be sent one by one, too."""
        return len(self.digests) > 1 and not self.is_batch

    @property
    def is_batch(self) -> bool:
        """Whether it is attestations under the same signatures, which only go together."""
        return self.key.startswith(BATCH)


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """One signed transaction. Without an intent it only uses up its nonce."""

    hash: bytes
    intent_id: int | None
    sender: Address
    nonce: int
    raw: bytes
    gas: int
    max_fee: int
    tip: int
    signed_at: int
    broadcast_at: int | None
    block: int | None
    block_hash: bytes | None

    @property
    def name(self) -> str:
        return "0x" + self.hash.hex()

    @property
    def price(self) -> Price:
        # A legacy transaction is a list in RLP; typed ones begin with their type.
        return Price(self.max_fee, self.tip, 0, legacy=self.raw[0] >= 0xC0)

    @property
    def worst_cost(self) -> int:
        """Wei that it may take."""
        return self.gas * self.max_fee


def read_intent(row: Row[Any]) -> Intent:
    """An intent out of its row."""
    return Intent(
        id=row.id,
        key=row.key,
        verb=row.verb,
        agreement_id=row.agreement_id,
        milestone=row.milestone,
        digests=tuple(bytes.fromhex(digest[2:]) for digest in row.digests),
        to=row.to,
        data=row.data,
        stage=IntentStage(row.state),
        reason=row.reason,
        tries=row.tries,
        changed_at=row.changed_at,
        not_before=row.not_before,
    )


def _readable(rows: Iterable[Row[Any]]) -> Iterator[Intent]:
    """Those that can be read; one that cannot stops none of them."""
    for row in rows:
        intent = None
        with aside.apart(f"what was to be sent as {row.key}"):
            intent = read_intent(row)
        if intent is not None:
            yield intent


def read_attempt(row: Row[Any]) -> SignedTransaction:
    """An attempt out of its row."""
    return SignedTransaction(**row._mapping)


def by_keys(connection: Connection, keys: Iterable[str]) -> dict[str, Intent]:
    """The intents of these keys that there are."""
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), _CHUNK):
        chosen = t.intents.c.key.in_(wanted[start : start + _CHUNK])
        for intent in _readable(connection.execute(select(t.intents).where(chosen))):
            found[intent.key] = intent
    return found


def in_stages(connection: Connection, stages: Sequence[str]) -> list[Intent]:
    """All intents in these stages, the oldest first."""
    query = select(t.intents).where(t.intents.c.state.in_(stages)).order_by(t.intents.c.id)
    return list(_readable(connection.execute(query)))


def create(
    connection: Connection,
    now: int,
    key: str,
    verb: str,
    to: Address,
    data: bytes,
    *,
    agreement_id: bytes | None = None,
    milestone: int | None = None,
    digests: Sequence[bytes] = (),
) -> bool:
    """A new intent, unless there is one with that key; whether there was none."""
    row = {
        "key": key,
        "verb": verb,
        "agreement_id": agreement_id,
        "milestone": milestone,
        "digests": list(digests),
        "to": to,
        "data": data,
        "state": IntentStage.PENDING.value,
        "created_at": now,
        "changed_at": now,
        "not_before": 0,
        "lease_until": 0,
        "reason": "",
        "tries": 0,
    }
    if not insert_new(connection, t.intents, row, "key"):
        return False
    subject = audit_log.subject_of(agreement_id, milestone) if agreement_id else key
    audit_log.record(connection, now, ACTOR, "intent.created", subject, key=key)
    return True


def move(
    connection: Connection,
    now: int,
    intent: Intent,
    stage: IntentStage,
    reason: str = "",
    *,
    not_before: int = 0,
    tries: int | None = None,
    **data: object,
) -> bool:
    """Change an intent's stage, unless somebody else did first; whether it was changed."""
    values: dict[str, object] = {
        "state": stage.value,
        "reason": reason,
        "changed_at": now,
        "not_before": not_before,
        "owner": None,
        "lease_until": 0,
    }
    if tries is not None:
        values["tries"] = tries
    moved = connection.execute(
        update(t.intents)
        .where(t.intents.c.id == intent.id, t.intents.c.state == intent.stage.value)
        .values(values)
    )
    if moved.rowcount != 1:
        return False
    if reason:
        data["reason"] = reason
    audit_log.record(
        connection, now, ACTOR, f"intent.{stage.value}", intent.subject, key=intent.key, **data
    )
    return True


def postpone(connection: Connection, intent: Intent, until: int, reason: str) -> None:
    """Leave a pending intent alone for a while; why is no secret, but nothing for the log."""
    connection.execute(
        update(t.intents)
        .where(t.intents.c.id == intent.id, t.intents.c.state == IntentStage.PENDING.value)
        .values(not_before=until, reason=reason, owner=None, lease_until=0)
    )


def attempts_of(
    connection: Connection, intents: Sequence[int]
) -> dict[int, list[SignedTransaction]]:
    """Per intent all transactions that use one of its nonces, the oldest first.

    One that only uses up such a nonce belongs to it, too.
    """
    if not intents:
        return {}
    own = t.attempts.alias()
    query = (
        select(own.c.intent_id.label("owner"), t.attempts)
        .join(own, (own.c.sender == t.attempts.c.sender) & (own.c.nonce == t.attempts.c.nonce))
        .where(own.c.intent_id.in_(list(intents)))
        .distinct()
        .order_by(t.attempts.c.nonce, t.attempts.c.signed_at)
    )
    found: dict[int, list[SignedTransaction]] = {intent: [] for intent in intents}
    for row in connection.execute(query):
        values = dict(row._mapping)
        found[values.pop("owner")].append(SignedTransaction(**values))
    return {key: sorted(each, key=_age) for key, each in found.items()}


def from_nonce(
    connection: Connection, sender: Address, nonce: int
) -> dict[int, list[SignedTransaction]]:
    """The transactions of an account from a nonce on, by nonce, the oldest first."""
    query = select(t.attempts).where(t.attempts.c.sender == sender, t.attempts.c.nonce >= nonce)
    found: dict[int, list[SignedTransaction]] = {}
    for row in connection.execute(query):
        attempt = read_attempt(row)
        found.setdefault(attempt.nonce, []).append(attempt)
    return {nonce: sorted(found[nonce], key=_age) for nonce in sorted(found)}


def count_live(connection: Connection) -> int:
    """How many intents are neither final nor ended."""
    query = select(func.count()).select_from(t.intents).where(t.intents.c.state.in_(LIVE))
    return int(connection.execute(query).scalar_one())


def busy_senders(connection: Connection) -> set[Address]:
    """The accounts that have transactions under way."""
    query = (
        select(t.attempts.c.sender)
        .join(t.intents, t.intents.c.id == t.attempts.c.intent_id)
        .where(t.intents.c.state.in_(UNDER_WAY))
        .distinct()
    )
    return set(connection.execute(query).scalars())


def next_nonce(connection: Connection, sender: Address) -> int:
    """The nonce after the last that was given out; 0 where none was."""
    query = select(t.nonces.c.next).where(t.nonces.c.sender == sender)
    return int(connection.execute(query).scalar() or 0)


def keep(connection: Connection, attempt: SignedTransaction) -> None:
    """Store a signed transaction."""
    values = {name: getattr(attempt, name) for name in SignedTransaction.__slots__}
    connection.execute(insert(t.attempts).values(values))


def _age(attempt: SignedTransaction) -> tuple[int, int]:
    """Of one nonce, what was signed later offers more."""
    return attempt.nonce, attempt.max_fee
