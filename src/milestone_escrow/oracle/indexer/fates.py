"""What became of attestations that were taken in: used on chain, overtaken, or free again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from milestone_escrow.oracle.indexer.rows import chunks
from milestone_escrow.oracle.signing.counting import (
    AttestationStage,
    CountedAttestation,
    Dossier,
    MilestoneKey,
    cases,
    dossiers,
    move,
)
from milestone_escrow.oracle.signing.rules import MilestoneCase
from milestone_escrow.oracle.signing.waiting_batches import restage
from milestone_escrow.oracle.store import aside
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status

SETTLED_OTHERWISE = "the milestone was settled otherwise"
OVERTAKEN = "a later attestation has counted"
PAID_ALREADY = "as much was paid already"
_OURS = frozenset({SETTLED_OTHERWISE, OVERTAKEN, PAID_ALREADY})

Used = set[tuple[bytes, int, int, int, bytes, int]]


def judge(connection: Connection, keys: Iterable[MilestoneKey]) -> int:
    """Set the state of all attestations of these milestones by what the chain says; how many
    changed. What died for another reason stays dead."""
    wanted = _attested(connection, set(keys))
    if not wanted:
        return 0
    used = _used(connection, {agreement_id for agreement_id, _ in wanted})
    known = cases(connection, wanted)
    changed: list[CountedAttestation] = []
    batched: set[MilestoneKey] = set()
    for key, dossier in dossiers(connection, wanted).items():
        for entry in dossier.entries.values():
            stage, reason = _fate(entry, dossier, known.get(key), used)
            if (stage, reason) != (entry.stage, entry.reason):
                entry.stage, entry.reason = stage, reason
                changed.append(entry)
            if entry.batches:
                batched.add(key)
    move(connection, changed)
    # What counts of a batch depends on which of its items can still be decided.
    return len(changed) + (restage(connection, batched) if batched else 0)


def _fate(
    entry: CountedAttestation, dossier: Dossier, case: MilestoneCase | None, used: Used
) -> tuple[AttestationStage, str]:
    attestation = entry.attestation
    if attestation.verdict is Verdict.RETURNED:
        return entry.stage, entry.reason
    if entry.stage is AttestationStage.DEAD and entry.reason not in _OURS:
        return entry.stage, entry.reason
    if (
        attestation.agreement_id,
        attestation.milestone,
        int(attestation.verdict),
        attestation.amount,
        attestation.evidence_hash,
        attestation.issued_at,
    ) in used:
        return AttestationStage.SETTLED, ""
    if case is None:
        return AttestationStage.OPEN, ""  # its agreement is not open any more
    if case.state.status is Status.SETTLED:
        return AttestationStage.DEAD, SETTLED_OTHERWISE
    if attestation.issued_at <= case.state.issued_at:
        return AttestationStage.DEAD, OVERTAKEN
    if attestation.verdict is Verdict.ACCEPTED and attestation.amount <= case.state.paid:
        return AttestationStage.DEAD, PAID_ALREADY
    if entry.stage in (AttestationStage.SETTLED, AttestationStage.DEAD):
        return dossier.stage(case, entry), ""
    return entry.stage, entry.reason


def _attested(connection: Connection, keys: set[MilestoneKey]) -> set[MilestoneKey]:
    found: set[MilestoneKey] = set()
    for chunk in chunks({agreement_id for agreement_id, _ in keys}):
        query = (
            select(t.attestations.c.agreement_id, t.attestations.c.milestone)
            .where(t.attestations.c.agreement_id.in_(chunk))
            .distinct()
        )
        found |= {(row.agreement_id, row.milestone) for row in connection.execute(query)}
    return found & keys


def _used(connection: Connection, ids: set[bytes]) -> Used:
    found: Used = set()
    for chunk in chunks(ids):
        query = select(t.events.c.agreement_id, t.events.c.milestone, t.events.c.data).where(
            t.events.c.agreement_id.in_(chunk), t.events.c.name == "MilestoneAttested"
        )
        for agreement_id, milestone, data in connection.execute(query):
            with aside.apart(f"a verdict on 0x{agreement_id.hex()}"):
                found.add((agreement_id, milestone, *_said(data)))
    return found


def _said(data: dict[str, Any]) -> tuple[int, int, bytes, int]:
    evidence = bytes.fromhex(data["evidence_hash"][2:])
    return data["verdict"], data["amount"], evidence, data["issued_at"]
