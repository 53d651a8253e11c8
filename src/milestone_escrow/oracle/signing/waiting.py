"""What waits for signatures, what is complete, and what anybody may send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select, update

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.relaying.calls import attest_call
from milestone_escrow.oracle.signing.counting import (
    AttestationStage,
    CountedAttestation,
    Dossier,
    cases,
    dossiers,
    words_behind,
)
from milestone_escrow.oracle.signing.rules import MilestoneCase
from milestone_escrow.oracle.signing.waiting_batches import restage
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import serialize
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address

ACTOR = "signing"

EXPIRED = "it has expired"


@dataclass(frozen=True, slots=True)
class WaitingAttestation:
    """One attestation, whose signatures count, and who may still sign; all in contract order.

    `said_by` are those who have signed it, alone or in one of its `batches`. `words` are what its
    evidence hash commits to, as far as that is known here. `reason` says why it is dead or, of a
    return for rework, what is missing.
    """

    digest: bytes
    attestation: Attestation
    stage: AttestationStage
    signatures: Mapping[Address, bytes]
    missing: tuple[Address, ...]
    quorum: int
    reason: str
    words: Mapping[str, object]
    said_by: tuple[Address, ...]
    batches: tuple[bytes, ...]

    @property
    def is_complete(self) -> bool:
        return len(self.signatures) >= self.quorum

    @property
    def lacking(self) -> int:
        """How many more must sign; signatures of it alone and of a batch do not add up."""
        together = len(self.said_by) - len(self.signatures)
        return max(0, self.quorum - max(len(self.signatures), together))


def open_attestations(
    connection: Connection, agreement_id: bytes, milestone: int
) -> tuple[WaitingAttestation, ...]:
    """What other verifiers have proposed and could sign, too: the same struct, the newest first."""
    found = attestations(connection, agreement_id, milestone)
    return tuple(one for one in found if one.stage is AttestationStage.OPEN)


def attestations(
    connection: Connection, agreement_id: bytes, milestone: int
) -> tuple[WaitingAttestation, ...]:
    """Everything that was taken in about a milestone, the newest first."""
    key = (agreement_id, milestone)
    case = cases(connection, [key]).get(key)
    if case is None:
        return ()
    dossier = dossiers(connection, [key])[key]
    return _waiting(connection, case, dossier)


def attestation(connection: Connection, digest: bytes) -> WaitingAttestation | None:
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
    view = viewing.agreement(connection, found.attestation.agreement_id)
    assert view is not None
    return attest_call(view, found.attestation, digest, found.signatures)


def expire(connection: Connection, now: int) -> tuple[bytes, ...]:
    """Give up what nobody can use any more because its time is over; returns the digests.

    Goes by the time of the chain's head alone: a clock that is wrong must not end anything. What
    the chain decides is told by the indexer. `connection` must be a write transaction.
    """
    head = viewing.head(connection)
    if head is None:
        return ()
    serialize(connection, "attestations")
    over = and_(
        t.attestations.c.state.in_((AttestationStage.OPEN.value, AttestationStage.COMPLETE.value)),
        t.attestations.c.valid_until < head.time,
    )
    columns = (t.attestations.c.digest, t.attestations.c.agreement_id, t.attestations.c.milestone)
    rows = connection.execute(select(*columns).where(over)).all()
    if not rows:
        return ()
    dead = {"state": AttestationStage.DEAD.value, "reason": EXPIRED}
    connection.execute(update(t.attestations).where(over).values(dead))
    acts = [
        audit_log.Act(
            ACTOR,
            "attestation.dead",
            audit_log.subject_of(row.agreement_id, row.milestone),
            {"digest": "0x" + row.digest.hex(), "reason": EXPIRED},
        )
        for row in rows
    ]
    audit_log.record_all(connection, now, acts)
    restage(connection, {(row.agreement_id, row.milestone) for row in rows}, now, ACTOR)
    return tuple(row.digest for row in rows)


def _waiting(
    connection: Connection, case: MilestoneCase, dossier: Dossier
) -> tuple[WaitingAttestation, ...]:
    newest = sorted(dossier.entries.values(), key=lambda e: (-e.attestation.issued_at, e.digest))
    words = words_behind(connection, [e.attestation.evidence_hash for e in newest])
    return tuple(_each(case, dossier, newest, words))


def _each(
    case: MilestoneCase,
    dossier: Dossier,
    entries: Iterable[CountedAttestation],
    words: Mapping[bytes, Mapping[str, object]],
) -> Iterator[WaitingAttestation]:
    for entry in entries:
        signers = dossier.signers(entry, case.verifiers)
        yield WaitingAttestation(
            entry.digest,
            entry.attestation,
            entry.stage,
            {account: entry.signatures[account] for account in signers},
            tuple(account for account in case.verifiers if account not in signers),
            case.milestone.quorum,
            entry.reason,
            words.get(entry.attestation.evidence_hash, {}),
            dossier.said_by(entry, case.verifiers),
            tuple(sorted(entry.batches)),
        )
