"""The attestations of one milestone with their signatures: which count, and what they come to.

The contract counts a signature of the milestone's verifiers once each. So does this, less those
that their signer has taken back since: they may still work on chain, but nobody here sends them.
A signature of a batch says the same of each of its items, but counts for the batch alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, select, update

from milestone_escrow.oracle.signing.rules import MilestoneCase, contradicts
from milestone_escrow.oracle.store import aside, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address

MilestoneKey = tuple[bytes, int]
"""An agreement's id and a milestone's number."""

_MANY = 500
"""Ids in one query: more than SQLite's oldest limit on parameters would be refused."""


class AttestationStage(str, Enum):
    """OPEN waits for signatures, COMPLETE to be sent, SETTLED has had its effect (a return for
    rework has it by being known), DEAD never will."""

    OPEN = "open"
    COMPLETE = "complete"
    SETTLED = "settled"
    DEAD = "dead"


@dataclass
class CountedAttestation:
    """One attestation and who has signed it, all verified.

    `batches` are those that hold it, `together` who has signed it in one of them.
    """

    digest: bytes
    attestation: Attestation
    stage: AttestationStage
    reason: str = ""
    signatures: dict[Address, bytes] = field(default_factory=dict)
    batches: dict[bytes, AttestationStage] = field(default_factory=dict)
    together: set[Address] = field(default_factory=set)

    @property
    def is_live(self) -> bool:
        """Whether it may still have its effect."""
        return self.stage in (AttestationStage.OPEN, AttestationStage.COMPLETE)

    @property
    def complete_batch(self) -> bytes | None:
        """A batch that brings it on chain; None where no complete one holds it."""
        return next(
            (one for one, stage in self.batches.items() if stage is AttestationStage.COMPLETE), None
        )


@dataclass
class Dossier:
    """All attestations of one milestone, by digest. Where one cannot be read (not `is_whole`), it
    may take back any of the others, so none counts."""

    entries: dict[bytes, CountedAttestation] = field(default_factory=dict)
    is_whole: bool = True

    def signed_by(self, account: Address) -> Iterator[Attestation]:
        """Everything that a verifier has signed about the milestone, alone or in a batch."""
        return (
            e.attestation
            for e in self.entries.values()
            if account in e.signatures or account in e.together
        )

    def signers(
        self, entry: CountedAttestation, verifiers: Sequence[Address]
    ) -> tuple[Address, ...]:
        """Whose signatures of the attestation alone count, in the contract's order."""
        return tuple(a for a in verifiers if a in entry.signatures and self.stands(entry, a))

    def said_by(
        self, entry: CountedAttestation, verifiers: Sequence[Address]
    ) -> tuple[Address, ...]:
        """Whose word it is, however they have signed it."""
        return tuple(
            account
            for account in verifiers
            if (account in entry.signatures or account in entry.together)
            and self.stands(entry, account)
        )

    def stands(self, entry: CountedAttestation, account: Address) -> bool:
        """Whether a verifier has not taken it back with a later verdict."""
        return self.is_whole and not any(
            other.issued_at > entry.attestation.issued_at and contradicts(entry.attestation, other)
            for other in self.signed_by(account)
        )

    def stage(self, case: MilestoneCase, entry: CountedAttestation) -> AttestationStage:
        """OPEN or COMPLETE by the signatures alone; a complete return for rework is SETTLED."""
        if entry.complete_batch is not None:
            return AttestationStage.COMPLETE
        count = len(self.signers(entry, case.verifiers))
        if not case.milestone.quorum or count < case.milestone.quorum:
            return AttestationStage.OPEN
        returned = entry.attestation.verdict is Verdict.RETURNED
        return AttestationStage.SETTLED if returned else AttestationStage.COMPLETE


def cases(
    connection: Connection,
    keys: Iterable[MilestoneKey],
    known: Mapping[MilestoneKey, MilestoneCase] = MappingProxyType({}),
) -> dict[MilestoneKey, MilestoneCase]:
    """The milestones that are open on chain, as the store knows them; others are left out, and
    those whose rows cannot be read.

    Terms never change, so of those that are `known` only the states are read again.
    """
    wanted = set(keys)
    stages = {key: (case.terms, case.milestone) for key, case in known.items()}
    unknown = {
        agreement_id for agreement_id, index in wanted if (agreement_id, index) not in stages
    }
    columns = (t.agreements.c.agreement_id, t.agreements.c.terms, t.agreements.c.milestones)
    for ids in _chunks(unknown):
        opened = select(*columns).where(t.agreements.c.agreement_id.in_(ids))
        for agreement_id, terms, milestones in connection.execute(opened):
            with aside.apart(f"the terms of 0x{agreement_id.hex()}"):
                read = row_shapes.read_terms(terms)
                for index, milestone in enumerate(row_shapes.read_milestones(milestones)):
                    stages[agreement_id, index] = read, milestone
    found: dict[MilestoneKey, MilestoneCase] = {}
    for ids in _chunks({agreement_id for agreement_id, _ in wanted}):
        rows = connection.execute(select(t.milestones).where(t.milestones.c.agreement_id.in_(ids)))
        for row in rows.mappings():
            key = (row["agreement_id"], row["milestone"])
            if key in wanted and key in stages:
                with aside.apart(f"milestone {key[1] + 1} of 0x{key[0].hex()}"):
                    found[key] = MilestoneCase(*key, *stages[key], row_shapes.read_state(row))
    return found


def dossiers(connection: Connection, keys: Iterable[MilestoneKey]) -> dict[MilestoneKey, Dossier]:
    """Everything that was taken in about these milestones; an empty one where nothing was."""
    found = {key: Dossier() for key in keys}
    by_digest: dict[bytes, CountedAttestation] = {}
    for ids in _chunks({agreement_id for agreement_id, _ in found}):
        about = t.attestations.c.agreement_id.in_(ids)
        for row in connection.execute(select(t.attestations).where(about)).mappings():
            dossier = found.get((row["agreement_id"], row["milestone"]))
            if dossier is None:
                continue
            entry = None
            with aside.apart(f"the attestation 0x{row['digest'].hex()}"):
                attestation = row_shapes.read_attestation(row)
                stage = AttestationStage(row["state"])
                entry = CountedAttestation(row["digest"], attestation, stage, row["reason"])
                by_digest[entry.digest] = dossier.entries[entry.digest] = entry
            dossier.is_whole = dossier.is_whole and entry is not None
        signed = (
            select(t.signatures.c.digest, t.signatures.c.signer, t.signatures.c.signature)
            .join(t.attestations, t.attestations.c.digest == t.signatures.c.digest)
            .where(about)
        )
        for digest, signer, signature in connection.execute(signed):
            if digest in by_digest:
                by_digest[digest].signatures[signer] = signature
        batched = (
            select(t.batch_items.c.attestation, t.batches.c.digest, t.batches.c.state)
            .join(t.batches, t.batches.c.digest == t.batch_items.c.batch)
            .join(t.attestations, t.attestations.c.digest == t.batch_items.c.attestation)
            .where(about)
        )
        holders: dict[bytes, list[CountedAttestation]] = {}
        for digest, batch, state in connection.execute(batched):
            if digest in by_digest:
                by_digest[digest].batches[batch] = AttestationStage(state)
                holders.setdefault(batch, []).append(by_digest[digest])
        for chunk in _chunks(holders):
            together = t.batch_signatures.c
            signers = select(together.batch, together.signer).where(together.batch.in_(chunk))
            for batch, signer in connection.execute(signers):
                for entry in holders[batch]:
                    entry.together.add(signer)
    return found


def move(connection: Connection, entries: Iterable[CountedAttestation]) -> None:
    """Write the stages and reasons of entries that have changed."""
    rows = [{"b_digest": e.digest, "b_state": e.stage.value, "b_reason": e.reason} for e in entries]
    if rows:
        connection.execute(
            update(t.attestations)
            .where(t.attestations.c.digest == bindparam("b_digest"))
            .values(state=bindparam("b_state"), reason=bindparam("b_reason")),
            rows,
        )


def words_behind(
    connection: Connection, hashes: Iterable[bytes]
) -> dict[bytes, Mapping[str, object]]:
    """What these hashes commit to, as far as it is known here."""
    found: dict[bytes, Mapping[str, object]] = {}
    for chunk in _chunks(set(hashes)):
        rows = connection.execute(
            select(t.words.c.hash, t.words.c.data).where(t.words.c.hash.in_(chunk))
        )
        for row in rows:
            with aside.apart(f"the words behind 0x{row.hash.hex()}"):
                found[row.hash] = dict(row.data)
    return found


def _chunks(ids: Iterable[bytes]) -> Iterator[list[bytes]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _MANY):
        yield ordered[start : start + _MANY]
