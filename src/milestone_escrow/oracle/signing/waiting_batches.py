"""Batches that were taken in: whose signatures count, and what that makes of each item.

A batch is sent as a whole, and the contract skips what can no longer be decided. So somebody's
signature of it counts until they take back one of the items that it could still decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, exists, select, update

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
from milestone_escrow.oracle.store import aside, audit_log, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch as the store has it: items by their own digests, in the order that was signed."""

    digest: bytes
    stage: AttestationStage
    received_at: int
    valid_until: int
    items: Mapping[bytes, Attestation]
    signatures: Mapping[Address, bytes]

    @property
    def keys(self) -> tuple[MilestoneKey, ...]:
        return tuple((one.agreement_id, one.milestone) for one in self.items.values())


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a batch is. `signers` are whose signatures count, `allowed` who can sign all of it;
    both in the contract's order."""

    signers: tuple[Address, ...]
    allowed: tuple[Address, ...]
    quorum: int
    stage: AttestationStage

    @property
    def waiting_for(self) -> tuple[Address, ...]:
        return tuple(account for account in self.allowed if account not in self.signers)


def load(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, Kept]:
    """The batches of these digests that there are."""
    found = {}
    for digest in digests:
        row = connection.execute(select(t.batches).where(t.batches.c.digest == digest)).first()
        if row is None:
            continue
        items = connection.execute(
            select(t.attestations)
            .join(t.batch_items, t.batch_items.c.attestation == t.attestations.c.digest)
            .where(t.batch_items.c.batch == digest)
            .order_by(t.batch_items.c.position)
        ).mappings()
        signatures = connection.execute(
            select(t.batch_signatures.c.signer, t.batch_signatures.c.signature).where(
                t.batch_signatures.c.batch == digest
            )
        )
        with aside.apart(f"the batch 0x{digest.hex()}"):
            found[digest] = Kept(
                digest,
                AttestationStage(row.state),
                row.received_at,
                row.valid_until,
                {item["digest"]: row_shapes.read_attestation(item) for item in items},
                {row.signer: row.signature for row in signatures},
            )
    return found


def decided_by(connection: Connection, signer: Address) -> tuple[Kept, ...]:
    """Open batches that a key of the service has not signed, and every item of which it has
    decided."""
    signed = exists().where(
        t.batch_signatures.c.batch == t.batches.c.digest, t.batch_signatures.c.signer == signer
    )
    decided = exists().where(
        t.decisions.c.digest == t.batch_items.c.attestation, t.decisions.c.signer == signer
    )
    open_one = exists().where(t.batch_items.c.batch == t.batches.c.digest, ~decided)
    found = connection.execute(
        select(t.batches.c.digest)
        .where(t.batches.c.state == AttestationStage.OPEN.value, ~signed, ~open_one)
        .order_by(t.batches.c.received_at, t.batches.c.digest)
    ).scalars()
    return tuple(load(connection, found.all()).values())


def count(
    kept: Kept,
    cases: Mapping[MilestoneKey, MilestoneCase],
    dossiers: Mapping[MilestoneKey, Dossier],
) -> Counted:
    """How far a batch is, by all that is known about the milestones of its items."""
    known = [cases[key] for key in kept.keys if key in cases]
    if len(known) < len(kept.items):
        # An agreement is not open any more; the contract would refuse the whole batch.
        return Counted((), (), 0, AttestationStage.OPEN)
    allowed = tuple(a for a in known[0].verifiers if all(a in one.verifiers for one in known))
    quorum = max(case.milestone.quorum for case in known)
    entries = [(dossiers[key], dossiers[key].entries[digest]) for digest, key in _places(kept)]
    live = [(dossier, entry) for dossier, entry in entries if entry.is_live]
    signers = tuple(
        account
        for account in allowed
        if account in kept.signatures
        and all(dossier.stands(entry, account) for dossier, entry in live)
    )
    if not live:
        settled = any(entry.stage is AttestationStage.SETTLED for _, entry in entries)
        return Counted(
            signers, allowed, quorum, AttestationStage.SETTLED if settled else AttestationStage.DEAD
        )
    stage = (
        AttestationStage.COMPLETE if quorum and len(signers) >= quorum else AttestationStage.OPEN
    )
    return Counted(signers, allowed, quorum, stage)


def restage(
    connection: Connection, keys: Iterable[MilestoneKey], now: int = 0, actor: str = ""
) -> int:
    """Bring the batches about these milestones, and their items, in line with what is known; how
    many batches and items changed. With an `actor` that is recorded, as of `now`."""
    kept = load(connection, _about(connection, set(keys)))
    places = {key for one in kept.values() for key in one.keys}
    known, all_ = cases(connection, places), dossiers(connection, places)
    changed, acts = 0, []
    for one in kept.values():
        stage = count(one, known, all_).stage
        for digest, key in _places(one):
            all_[key].entries[digest].batches[one.digest] = stage
        if stage is not one.stage:
            where = t.batches.c.digest == one.digest
            connection.execute(update(t.batches).where(where).values(state=stage.value))
            changed += 1
    moved: dict[bytes, CountedAttestation] = {}
    for key, entry in _items(kept.values(), all_):
        if not entry.is_live or key not in known:
            continue
        stage = all_[key].stage(known[key], entry)
        if stage is not entry.stage:
            entry.stage = stage
            moved[entry.digest] = entry
            data = {"digest": "0x" + entry.digest.hex()}
            acts.append(
                audit_log.Act(actor, f"attestation.{stage.value}", audit_log.subject_of(*key), data)
            )
    move(connection, moved.values())
    if actor and acts:
        audit_log.record_all(connection, now, acts)
    return changed + len(moved)


def _places(kept: Kept) -> Iterator[tuple[bytes, MilestoneKey]]:
    return zip(kept.items, kept.keys, strict=True)


def _items(
    kept: Iterable[Kept], dossiers: Mapping[MilestoneKey, Dossier]
) -> Iterator[tuple[MilestoneKey, CountedAttestation]]:
    """Each item once, however many batches hold it."""
    places = {digest: key for one in kept for digest, key in _places(one)}
    return ((key, dossiers[key].entries[digest]) for digest, key in places.items())


def _about(connection: Connection, keys: set[MilestoneKey]) -> list[bytes]:
    """The batches that hold an item about one of these milestones."""
    found: dict[bytes, None] = {}
    for agreement_id in {agreement_id for agreement_id, _ in keys}:
        rows = connection.execute(
            select(t.batch_items.c.batch, t.attestations.c.milestone)
            .join(t.attestations, t.attestations.c.digest == t.batch_items.c.attestation)
            .where(t.attestations.c.agreement_id == agreement_id)
        )
        found |= {batch: None for batch, at in rows if (agreement_id, at) in keys}
    return list(found)
