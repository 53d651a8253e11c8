"""From what is true to what should be done: complete quorums, and clocks that have run out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, exists, or_, select

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.batch_intents import plan_batches
from milestone_escrow.oracle.relaying.calls import attest_call, finalize_call, together
from milestone_escrow.oracle.relaying.intents import LIVE, Intent, IntentStage
from milestone_escrow.oracle.relaying.judging import (
    Forecast,
    Prospect,
    judge_attestation,
    judge_finalize,
)
from milestone_escrow.oracle.relaying.shared import (
    AT_ONCE,
    contract_of,
    is_open,
    revive,
    views_of,
)
from milestone_escrow.oracle.store import aside, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status

_DECIDING = (int(Verdict.ACCEPTED), int(Verdict.REJECTED))


@dataclass(frozen=True, slots=True)
class Planned:
    """How many intents were created, taken up again, dropped as done, and failed."""

    created: int = 0
    revived: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """An attestation that a quorum has signed."""

    digest: bytes
    attestation: Attestation

    @property
    def key(self) -> str:
        return attest_key(self.digest)


def plan(connection: Connection, now_chain: int, now_wall: int, *, joined: int = 10) -> Planned:
    """Bring the intents in line with the store. The same store again changes nothing.

    At most `joined` attestations go into one transaction.
    """
    dropped, failed = _retire(connection, now_chain, now_wall)
    done = [
        plan_batches(connection, now_chain, now_wall),
        _attest(connection, now_chain, now_wall, joined),
        _finalize(connection, now_chain, now_wall),
    ]
    created, revived = (sum(each) for each in zip(*done, strict=True))
    return Planned(created, revived, dropped, failed)


def attest_key(digest: bytes) -> str:
    """The key of bringing one attestation on chain."""
    return f"attest:0x{digest.hex()}"


def finalize_key(agreement_id: bytes, milestone: int, epoch: int, status: Status) -> str:
    """The key of letting time decide a milestone as it stands."""
    return f"finalize:0x{agreement_id.hex()}:{milestone}:{epoch}/{int(status)}"


def split(connection: Connection, now: int, intent: Intent, reason: str) -> bool:
    """Instead of several attestations in one transaction, each in its own from now on."""
    if not intents.move(connection, now, intent, IntentStage.DROPPED, reason):
        return False
    known = known_about(connection, [intent])
    for one in known.ready.values():
        view = known.views.get(one.attestation.agreement_id)
        if view is not None:
            _create_attest(connection, now, [(view, one)])
    return True


@dataclass(frozen=True, slots=True)
class Known:
    """What intents are about: attestations by digest, agreements by id."""

    ready: Mapping[bytes, Ready]
    views: Mapping[bytes, AgreementView]


def known_about(connection: Connection, wanted: Iterable[Intent]) -> Known:
    """What the store has on intents."""
    listed = list(wanted)
    ready = _ready(connection, [digest for intent in listed for digest in intent.digests])
    ids = [one.attestation.agreement_id for one in ready.values()]
    ids += [intent.agreement_id for intent in listed if intent.agreement_id is not None]
    return Known(ready, views_of(connection, ids))


def judge(intent: Intent, known: Known, now: int) -> Forecast:
    """What can be expected of an intent, the best of its parts; `now` is the chain's time."""
    found = list(_judge_parts(intent, known, now))
    for prospect in (Prospect.POSSIBLE, Prospect.LATER, Prospect.NEVER, Prospect.DONE):
        for judgement in found:
            if judgement.prospect is prospect:
                return judgement
    return Forecast(Prospect.LATER, "its agreement is not open here")


def _judge_parts(intent: Intent, known: Known, now: int) -> Iterator[Forecast]:
    if intent.verb == "finalize":
        view = known.views.get(intent.agreement_id or b"")
        if view is not None and intent.milestone is not None:
            epoch, status = intent.key.rpartition(":")[2].split("/")
            at, state = intent.milestone, view.states[intent.milestone]
            yield judge_finalize(view, at, Status(int(status)), int(epoch), state, now)
        return
    for digest in intent.digests:
        one = known.ready.get(digest)
        view = known.views.get(one.attestation.agreement_id) if one else None
        if one is not None and view is not None:
            state = view.states[one.attestation.milestone]
            yield judge_attestation(view, one.attestation, state, now)


def _ready(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, Ready]:
    if not digests:
        return {}
    rows = connection.execute(
        select(t.attestations).where(t.attestations.c.digest.in_(list(digests)))
    )
    found = {}
    for row in rows:
        with aside.apart(f"the attestation 0x{row.digest.hex()}"):
            found[row.digest] = Ready(row.digest, row_shapes.read_attestation(row._mapping))
    return {digest: found[digest] for digest in digests if digest in found}


def _retire(connection: Connection, now_chain: int, now_wall: int) -> tuple[int, int]:
    """End the waiting intents whose effect is there, or can no longer be had."""
    dropped = failed = 0
    waiting = intents.in_stages(connection, [IntentStage.PENDING.value])
    known = known_about(connection, waiting)
    for intent in waiting:
        judged = judge(intent, known, now_chain)
        if judged.prospect is Prospect.DONE:
            dropped += intents.move(
                connection, now_wall, intent, IntentStage.DROPPED, judged.reason
            )
        elif judged.prospect is Prospect.NEVER:
            if intent.is_joined:
                split(connection, now_wall, intent, "not all of it can be done any more")
            else:
                failed += intents.move(
                    connection, now_wall, intent, IntentStage.FAILED, judged.reason
                )
    return dropped, failed


def _attest(connection: Connection, now_chain: int, now_wall: int, joined: int) -> tuple[int, int]:
    complete = connection.execute(
        select(t.attestations.c.digest)
        .where(t.attestations.c.state == "complete", t.attestations.c.verdict.in_(_DECIDING))
        # Others are complete by a batch alone.
        .where(exists().where(t.signatures.c.digest == t.attestations.c.digest))
        .order_by(t.attestations.c.issued_at, t.attestations.c.digest)
    ).scalars()
    digests = list(complete)
    if not digests:
        return 0, 0
    known = intents.by_keys(connection, (attest_key(digest) for digest in digests))
    live = intents.in_stages(connection, LIVE)
    joint = [one for one in live if one.is_joined or one.is_batch]
    busy = {digest for intent in joint for digest in intent.digests}
    todo = [
        digest
        for digest in digests
        if digest not in busy and is_open(known.get(attest_key(digest)), now_wall)
    ]
    ready = list(_ready(connection, todo[:AT_ONCE]).values())
    views = views_of(connection, (one.attestation.agreement_id for one in ready))
    fresh: list[tuple[AgreementView, Ready]] = []
    revived = 0
    for one in ready:
        view = views.get(one.attestation.agreement_id)
        if view is None:
            continue
        state = view.states[one.attestation.milestone]
        judged = judge_attestation(view, one.attestation, state, now_chain)
        if judged.prospect is not Prospect.POSSIBLE:
            continue
        milestone = view.milestones[one.attestation.milestone]
        if len(_signatures(connection, one.digest)) < milestone.quorum:
            continue  # it is complete by a batch, and somebody has signed it alone, too
        if one.key in known:
            revived += revive(connection, now_wall, known[one.key])
        else:
            fresh.append((view, one))
    created = 0
    for group in _groups(fresh, joined):
        # The same group may have been given up before, which its parts never were.
        alone = [[one] for one in group] if len(group) > 1 else []
        created += _create_attest(connection, now_wall, group) or sum(
            _create_attest(connection, now_wall, one) for one in alone
        )
    return created, revived


def _finalize(connection: Connection, now_chain: int, now_wall: int) -> tuple[int, int]:
    """Of agreements that somebody here has to do with: strangers' clocks are strangers' gas."""
    ours = or_(
        exists().where(t.documents.c.agreement_id == t.milestones.c.agreement_id),
        exists().where(t.attestations.c.agreement_id == t.milestones.c.agreement_id),
    )
    columns = ("agreement_id", "milestone", "epoch", "status")
    rows = connection.execute(
        select(*(t.milestones.c[name] for name in columns))
        .where(t.milestones.c.next_at <= now_chain, ours)
        .order_by(t.milestones.c.next_at, t.milestones.c.agreement_id, t.milestones.c.milestone)
    ).all()
    statuses = frozenset(Status)
    keyed = {
        finalize_key(i, n, epoch, Status(status)): (i, n)
        for i, n, epoch, status in rows
        if status in statuses
    }
    known = intents.by_keys(connection, keyed)
    revived = sum(revive(connection, now_wall, intent) for intent in known.values())
    fresh = {key: place for key, place in keyed.items() if key not in known}
    fresh = dict(list(fresh.items())[:AT_ONCE])
    views = views_of(connection, (agreement_id for agreement_id, _ in fresh.values()))
    created = 0
    for key, (agreement_id, milestone) in fresh.items():
        if agreement_id not in views:
            continue  # it cannot be read
        created += intents.create(
            connection,
            now_wall,
            key,
            "finalize",
            contract_of(connection),
            finalize_call(views[agreement_id], milestone),
            agreement_id=agreement_id,
            milestone=milestone,
        )
    return created, revived


def _groups(
    fresh: Sequence[tuple[AgreementView, Ready]], joined: int
) -> Iterator[list[tuple[AgreementView, Ready]]]:
    """What goes into one transaction: one token, so that no odd one harms the others, and of a
    milestone one attestation, as a later one builds on what the earlier one did."""
    groups: list[list[tuple[AgreementView, Ready]]] = []
    for view, one in fresh:
        place = (view.id, one.attestation.milestone)
        for group in groups:
            taken = {(v.id, r.attestation.milestone) for v, r in group}
            same_token = group[0][0].terms.token == view.terms.token
            if len(group) < joined and same_token and place not in taken:
                group.append((view, one))
                break
        else:
            groups.append([(view, one)])
    yield from groups


def _create_attest(
    connection: Connection, now: int, group: Sequence[tuple[AgreementView, Ready]]
) -> bool:
    calls = []
    for view, one in group:
        signed = _signatures(connection, one.digest)
        try:
            calls.append(attest_call(view, one.attestation, one.digest, signed))
        except UsageError:
            # The intake lets no stranger's signature in; if one is there, others must still go out.
            return False
    view, first = group[0]
    alone = len(group) == 1
    digests = [one.digest for _, one in group]
    return intents.create(
        connection,
        now,
        first.key if alone else _joined_key(digests),
        "attest",
        contract_of(connection),
        calls[0] if alone else together(calls),
        agreement_id=view.id if alone else None,
        milestone=first.attestation.milestone if alone else None,
        digests=digests,
    )


def _joined_key(digests: Sequence[bytes]) -> str:
    return f"attest:{len(digests)}:0x{sha256(b''.join(sorted(digests))).hexdigest()}"


def _signatures(connection: Connection, digest: bytes) -> dict[Address, bytes]:
    rows = connection.execute(
        select(t.signatures.c.signer, t.signatures.c.signature).where(
            t.signatures.c.digest == digest
        )
    )
    return {row.signer: row.signature for row in rows}
