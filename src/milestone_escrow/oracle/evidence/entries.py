"""What evidence there is, who may see it, and what verifiers commit to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from sqlalchemy import Connection, Row, select

from milestone_escrow.documents.manifest import Manifest
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.blobs import Blobs
from milestone_escrow.oracle.evidence.manifests import committed_files, manifest_files
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """One piece of evidence. `stored` is false where only its hash was given."""

    agreement_id: bytes
    milestone: int
    name: str
    kind: str
    media_type: str
    size: int
    sha256: bytes
    stored: bool
    supplied_by: Address
    role: str
    added_at: int

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "kind": self.kind,
            "media_type": self.media_type,
            "size": self.size,
            "sha256": self.sha256.hex(),
            "stored": self.stored,
            "supplied_by": self.supplied_by,
            "role": self.role,
            "added_at": self.added_at,
        }


def listing(
    connection: Connection, agreement_id: bytes, milestone: int
) -> tuple[EvidenceEntry, ...]:
    """The evidence for a milestone, in the order in which it came."""
    e = t.evidence
    rows = connection.execute(
        select(e)
        .where(e.c.agreement_id == agreement_id, e.c.milestone == milestone)
        .order_by(e.c.id)
    )
    return tuple(map(entry_of, rows))


def manifest(connection: Connection, agreement_id: bytes, milestone: int) -> Manifest:
    """The list that an attestation on a milestone's evidence commits to now."""
    return manifest_files(listing(connection, agreement_id, milestone))


def manifest_of(
    connection: Connection, agreement_id: bytes, milestone: int, evidence_hash: bytes
) -> Manifest | None:
    """The list behind an evidence hash that was signed when there were fewer files; None where it
    is none of those that there have been."""
    files = committed_files(listing(connection, agreement_id, milestone), evidence_hash)
    return None if files is None else manifest_files(files)


def may_read(view: AgreementView, account: Address) -> bool:
    """Whether an account is one of the agreement's own people: buyer, supplier, verifiers,
    arbiter, and whoever bought a payout."""
    return account in view.people


def find(connection: Connection, sha256: bytes, account: Address) -> EvidenceEntry:
    """The evidence with that content which an account may read.

    Raises:
        UsageError: there is none. Whether there is some that others may read is not said.
    """
    rows = connection.execute(select(t.evidence).where(t.evidence.c.sha256 == sha256)).all()
    ids = {row.agreement_id for row in rows}
    views = {view.id: view for view in viewing.agreements(connection, ids)}
    mine = [
        entry_of(row)
        for row in rows
        if row.agreement_id in views and may_read(views[row.agreement_id], account)
    ]
    if not mine:
        raise UsageError(
            f"there is no evidence {sha256.hex()[:12]}… that {account} may read",
            hint="see what there is with `escrow evidence list`",
        )
    return max(mine, key=lambda entry: entry.stored)


def read(blobs: Blobs, entry: EvidenceEntry) -> IO[bytes]:
    """The content of a piece of evidence, verified; whoever asks must have been let in.

    Raises:
        EscrowError: only its hash is here.
        StoreError: it is damaged or gone.
    """
    if not entry.stored:
        raise EscrowError(
            f"only the hash of '{entry.name}' is here",
            hint=f"ask {entry.role} for the file, and compare its SHA-256",
        )
    return blobs.read(entry.sha256)


def entry_of(row: Row[Any]) -> EvidenceEntry:
    """A row of `evidence`."""
    columns: Sequence[str] = EvidenceEntry.__slots__
    return EvidenceEntry(**{name: row._mapping[name] for name in columns})
