"""What waits for signatures, what is complete, and what anybody may send; brought up to date.

Nothing here remembers that it was called: `refresh` looks at the chain's part of the store and says
again where each attestation stands, after a reorganization as after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import book
from milestone_escrow.oracle.relaying.calls import attest_call
from milestone_escrow.oracle.signing.counting import (
    Dossier,
    Entry,
    MilestoneKey,
    Stage,
    cases,
    dossiers,
    words_behind,
)
from milestone_escrow.oracle.signing.recording import move
from milestone_escrow.oracle.signing.rules import Case, refused_by_contract
from milestone_escrow.oracle.store import audit
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import serialize
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address

ACTOR = "signing"

# What time and more signatures may still heal: then it is not dead yet.
_PASSING = frozenset({"IssuedAtOutOfBounds", "WrongStatus", "TooLate"})

_ATTESTED = "MilestoneAttested"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One attestation, whose signatures count, and who may still sign; all in contract order.

    `words` are what its evidence hash commits to, as far as that is known here. `reason` says why
    it is dead or, of a return for rework, what is missing.
    """

    digest: bytes
    attestation: Attestation
    stage: Stage
    signatures: Mapping[Address, bytes]
    missing: tuple[Address, ...]
    quorum: int
    reason: str
    words: Mapping[str, object]

    @property
    def is_complete(self) -> bool:
        return len(self.signatures) >= self.quorum


def open_attestations(
    connection: Connection, agreement_id: bytes, milestone: int
) -> tuple[Waiting, ...]:
    """What other verifiers have proposed and could sign, too: the same struct, the newest first."""
    found = attestations(connection, agreement_id, milestone)
    return tuple(one for one in found if one.stage is Stage.OPEN)


def attestations(
    connection: Connection, agreement_id: bytes, milestone: int
) -> tuple[Waiting, ...]:
    """Everything that was taken in about a milestone, the newest first."""
    key = (agreement_id, milestone)
    case = cases(connection, [key]).get(key)
    if case is None:
        return ()
    dossier = dossiers(connection, [key])[key]
    return _waiting(connection, case, dossier)


def attestation(connection: Connection, digest: bytes) -> Waiting | None:
    """One attestation by its digest."""
    query = select(t.attestations.c.agreement_id, t.attestations.c.milestone)
    row = connection.execute(query.where(t.attestations.c.digest == digest)).first()
    if row is None:
        return None
    found = attestations(connection, row.agreement_id, row.milestone)
    return next((one for one in found if one.digest == digest), None)


def calldata(connection: Connection, digest: bytes) -> bytes:
    """What to send to the contract so that a complete attestation takes effect: anybody may.

    Raises:
        EscrowError: it is not known, not complete, or a return for rework.
    """
    found = attestation(connection, digest)
    name = f"0x{digest.hex()[:12]}…"
    if found is None:
        raise EscrowError(f"no attestation {name} is known here", hint="post it first")
    if found.attestation.verdict is Verdict.RETURNED:
        raise EscrowError(f"{name} returns for rework, which changes nothing on chain")
    if not found.is_complete:
        raise EscrowError(
            f"{len(found.signatures)} of {found.quorum} needed verifiers have signed {name}",
            hint=f"it waits for {', '.join(found.missing)}",
        )
    view = book.agreement(connection, found.attestation.agreement_id)
    assert view is not None
    return attest_call(view, found.attestation, digest, found.signatures)


def refresh(connection: Connection, now: int, *, thorough: bool = False) -> tuple[bytes, ...]:
    """Say again where attestations stand; returns the digests of those that moved.

    Looks at what is open or complete, which is quick; `thorough` also at what is done, and whether
    a reorganization has undone it. `connection` must be a write transaction, `now` the chain's
    time.
    """
    serialize(connection, "attestations")
    keys = _pending(connection) | (_undone(connection) if thorough else set())
    known = cases(connection, keys)
    decided = _decided(connection, keys)
    moved: list[Entry] = []
    acts: list[audit.Act] = []
    for key, dossier in dossiers(connection, keys).items():
        case = known.get(key)
        for entry in dossier.entries.values():
            stage, reason = _stand(case, dossier, entry, decided.get(key, ()), now)
            if entry.attestation.verdict is Verdict.RETURNED:
                reason = entry.reason
            if (stage, reason) == (entry.stage, entry.reason):
                continue
            if stage is not entry.stage:
                data = {"digest": "0x" + entry.digest.hex(), "reason": reason}
                subject = audit.subject_of(*key)
                acts.append(audit.Act(ACTOR, f"attestation.{stage.value}", subject, data))
            entry.stage, entry.reason = stage, reason
            moved.append(entry)
    move(connection, moved)
    if acts:
        audit.record_all(connection, now, acts)
    return tuple(entry.digest for entry in moved)


def _stand(
    case: Case | None,
    dossier: Dossier,
    entry: Entry,
    decided: Iterable[tuple[object, ...]],
    now: int,
) -> tuple[Stage, str]:
    """Where an attestation stands, and why where it is dead."""
    if case is None:
        return Stage.DEAD, "its agreement is not open on chain"
    what = entry.attestation
    if _mark(what) in decided:
        return Stage.SETTLED, ""
    stage = dossier.stage(case, entry)
    if stage is Stage.SETTLED:
        return stage, ""
    if case.state.issued_at >= what.issued_at:
        return Stage.DEAD, "a later verdict was decided on chain"
    why = refused_by_contract(case, what, now)
    if why is None or _can_pass(case, why.error):
        return stage, ""
    return Stage.DEAD, why.reason


def _can_pass(case: Case, error: str) -> bool:
    """Whether a refusal may be over later: a clock that has to run out, a dispute to be ruled on.

    A milestone that is settled stays so, and one that nobody has funded yet can still be.
    """
    settled = not case.state.status.holds and case.state.status != 0
    return error in _PASSING and not settled


def _mark(attestation: Attestation) -> tuple[object, ...]:
    return (
        int(attestation.verdict),
        attestation.amount,
        attestation.evidence_hash,
        attestation.issued_at,
    )


def _decided(
    connection: Connection, keys: Iterable[MilestoneKey]
) -> dict[MilestoneKey, set[tuple[object, ...]]]:
    """The attestations that the chain has taken, by what tells them apart."""
    from milestone_escrow.chain.events import MilestoneAttested
    from milestone_escrow.oracle.store import shapes

    wanted = set(keys)
    found: dict[MilestoneKey, set[tuple[object, ...]]] = {}
    ids = sorted({agreement_id for agreement_id, _ in wanted})
    for start in range(0, len(ids), 500):
        query = select(t.events).where(
            t.events.c.agreement_id.in_(ids[start : start + 500]), t.events.c.name == _ATTESTED
        )
        for row in connection.execute(query).mappings():
            event = shapes.read_event(row)
            assert isinstance(event, MilestoneAttested)
            mark = (int(event.verdict), event.amount, event.evidence_hash, event.issued_at)
            found.setdefault((event.agreement_id, event.milestone), set()).add(mark)
    return found


def _pending(connection: Connection) -> set[MilestoneKey]:
    query = select(t.attestations.c.agreement_id, t.attestations.c.milestone).distinct()
    rows = connection.execute(
        query.where(t.attestations.c.state.in_((Stage.OPEN.value, Stage.COMPLETE.value)))
    )
    return {(row.agreement_id, row.milestone) for row in rows}


def _undone(connection: Connection) -> set[MilestoneKey]:
    """Milestones where something is done here that the chain, as it is now, does not know of, and
    those whose last change is not final."""
    head = book.head(connection)
    same = and_(
        t.milestones.c.agreement_id == t.attestations.c.agreement_id,
        t.milestones.c.milestone == t.attestations.c.milestone,
    )
    query = (
        select(t.attestations.c.agreement_id, t.attestations.c.milestone)
        .outerjoin(t.milestones, same)
        .where(
            t.attestations.c.verdict != int(Verdict.RETURNED),
            or_(
                t.milestones.c.status.is_(None),
                t.milestones.c.issued_at < t.attestations.c.issued_at,
                t.milestones.c.changed_block > (head.final_number if head else 0),
            ),
        )
        .distinct()
    )
    return {(row.agreement_id, row.milestone) for row in connection.execute(query)}


def _waiting(connection: Connection, case: Case, dossier: Dossier) -> tuple[Waiting, ...]:
    newest = sorted(dossier.entries.values(), key=lambda e: (-e.attestation.issued_at, e.digest))
    words = words_behind(connection, [e.attestation.evidence_hash for e in newest])
    return tuple(_each(case, dossier, newest, words))


def _each(
    case: Case,
    dossier: Dossier,
    entries: Iterable[Entry],
    words: Mapping[bytes, Mapping[str, object]],
) -> Iterator[Waiting]:
    for entry in entries:
        signers = dossier.signers(entry, case.verifiers)
        yield Waiting(
            entry.digest,
            entry.attestation,
            entry.stage,
            {account: entry.signatures[account] for account in signers},
            tuple(account for account in case.verifiers if account not in signers),
            case.milestone.quorum,
            entry.reason,
            words.get(entry.attestation.evidence_hash, {}),
        )
