"""Complete batches on their way to the chain: one intent each, for as long as it decides anything.

The contract skips what it cannot decide when the batch arrives. Should that be possible later, as
after a dispute, the same batch is sent once more.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.calls import batch_call
from milestone_escrow.oracle.relaying.intents import BATCH, LIVE, Intent, IntentStage, read_intent
from milestone_escrow.oracle.relaying.judging import Prospect, judge_attestation
from milestone_escrow.oracle.relaying.shared import (
    AT_ONCE,
    contract_of,
    revive,
    views_of,
)
from milestone_escrow.oracle.signing.counting import cases, dossiers
from milestone_escrow.oracle.signing.waiting_batches import Kept, count, load
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.batch import Batch
from milestone_escrow.protocol.eip712 import Address


def batch_key(digest: bytes, before: int = 0) -> str:
    """The key of bringing a batch on chain, which was sent so many times before."""
    return f"{BATCH}0x{digest.hex()}:{before}"


def plan_batches(connection: Connection, now_chain: int, now_wall: int) -> tuple[int, int]:
    """Bring complete batches on their way; how many intents are new, and begun again."""
    complete = connection.execute(
        select(t.batches.c.digest)
        .where(t.batches.c.state == "complete")
        .order_by(t.batches.c.received_at, t.batches.c.digest)
        .limit(AT_ONCE)
    ).scalars()
    kept = load(connection, complete)
    if not kept:
        return 0, 0
    ids = (key for one in kept.values() for key, _ in one.keys)
    views = views_of(connection, ids)
    carried = {
        digest for intent in intents.in_stages(connection, LIVE) for digest in intent.digests
    }
    created = revived = 0
    for one in kept.values():
        possible = _possible(one, views, now_chain)
        if not possible or possible <= carried:
            continue
        before = _sent_before(connection, one.digest)
        if before and before[-1].stage is not IntentStage.FINAL:
            revived += revive(connection, now_wall, before[-1])
        else:
            created += _create(connection, now_wall, one, views, len(before))
    return created, revived


def _possible(kept: Kept, views: Mapping[bytes, AgreementView], now: int) -> set[bytes]:
    """The items that it would decide now; none where one has to wait for its moment, or is about
    an agreement that is not open, for which the contract would refuse all."""
    found = set()
    for digest, attestation in kept.items.items():
        view = views.get(attestation.agreement_id)
        if view is None or attestation.issued_at > now:
            return set()
        state = view.states[attestation.milestone]
        if judge_attestation(view, attestation, state, now).prospect is Prospect.POSSIBLE:
            found.add(digest)
    return found


def _sent_before(connection: Connection, digest: bytes) -> list[Intent]:
    start = batch_key(digest)[:-1]
    rows = connection.execute(
        select(t.intents)
        # ";" comes after ":".
        .where(t.intents.c.key >= start, t.intents.c.key < start[:-1] + ";")
        .order_by(t.intents.c.id)
    )
    return [read_intent(row) for row in rows]


def _create(
    connection: Connection,
    now: int,
    kept: Kept,
    views: Mapping[bytes, AgreementView],
    before: int,
) -> bool:
    counted = count(kept, cases(connection, kept.keys), dossiers(connection, kept.keys))
    signatures: dict[Address, bytes] = {who: kept.signatures[who] for who in counted.signers}
    batch = Batch(tuple((views[one.agreement_id], one) for one in kept.items.values()))
    try:
        data = batch_call(batch, kept.digest, signatures)
    except UsageError:
        # The intake lets no stranger's signature in; if one is there, others must still go out.
        return False
    return intents.create(
        connection,
        now,
        batch_key(kept.digest, before),
        "attest",
        contract_of(connection),
        data,
        digests=tuple(kept.items),
    )
