"""Evidence handed in: looked at, kept, listed. And taken back, as long as nobody relies on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, or_, select

from milestone_escrow.documents.manifest import UNKNOWN_TYPE, kind_of, media_type_of
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle.evidence.blobs import Blob, Blobs
from milestone_escrow.oracle.evidence.content import KNOWN_TYPES, Inspection
from milestone_escrow.oracle.evidence.entries import EvidenceEntry, entry_of, may_read
from milestone_escrow.oracle.evidence.file_names import listed_name, read_kind, read_name
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.store import Store, serialize
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status

MAX_SIZE = 50 * 10**6
MAX_FILES = 200
_SHA256 = re.compile(r"(0x)?[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What is taken in: `types` are media types, those that can be recognised where none is."""

    max_size: int = MAX_SIZE
    types: frozenset[str] = frozenset()

    def require(self, media_type: str, name: str) -> None:
        """Raises UsageError where files of that type are not taken."""
        allowed = self.types or KNOWN_TYPES
        if media_type not in allowed:
            raise UsageError(
                f"'{name}' is {media_type}, which is not taken as evidence",
                hint="hand it in as pdf, or let the operator name the type under [evidence]",
            )


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file as it is offered: what it is called, what it is, and its content's hash and size.

    `stored` is false where only the hash is given, and the file stays where it is.
    """

    name: str
    kind: str
    media_type: str
    blob: Blob
    stored: bool


def add(
    store: Store,
    blobs: Blobs,
    rules: IntakeRules,
    view: AgreementView,
    milestone: int | str,
    name: str,
    chunks: Iterable[bytes],
    supplied_by: Address,
    now: int,
    *,
    kind: str = "",
    declared: str = "",
) -> EvidenceEntry:
    """Keep a file's content, then list it as evidence; see `keep` and `record`."""
    require_supplier(view, milestone, supplied_by)
    offered = keep(blobs, rules, name, chunks, kind=kind, declared=declared)
    failpoint("evidence.kept")
    with store.transaction() as connection:
        return record(connection, view, milestone, offered, supplied_by, now)


def keep(
    blobs: Blobs,
    rules: IntakeRules,
    name: str,
    chunks: Iterable[bytes],
    *,
    kind: str = "",
    declared: str = "",
) -> OfferedFile:
    """Look at a file and keep its content. `declared` is the media type that its sender claims.

    Needs no transaction: content that is never listed is out of everybody's reach.

    Raises:
        UsageError: a hostile name, too large, or not what its name or `declared` says.
        StoreError: it cannot be kept.
    """
    name, kind = read_name(name), _kind(name, kind)
    media_type = media_type_of(name)
    claimed = declared.split(";")[0].strip().lower()
    if claimed not in ("", UNKNOWN_TYPE, media_type):
        raise UsageError(
            f"'{name}' is sent as {claimed}, but its name says {media_type}",
            hint="give the file its right ending",
        )
    rules.require(media_type, name)
    inspection = Inspection(name, media_type)
    blob = blobs.put(
        _watched(chunks, inspection, rules.max_size, name), lambda _: inspection.close()
    )
    return OfferedFile(name, kind, media_type, blob, stored=True)


def hashed(name: str, sha256: str, size: int, *, kind: str = "") -> OfferedFile:
    """A file of which only the SHA-256 (hex), size and name are given; it never leaves the house.

    Raises:
        UsageError: a hostile name, or no such hash or size.
    """
    name = read_name(name)
    if not _SHA256.fullmatch(sha256):
        raise UsageError(f"'{sha256[:80]}' is not a SHA-256", hint="write 64 hex digits")
    if not 0 < size < 2**53:
        raise UsageError(f"{size} bytes is not a file's size", hint="give the file's own size")
    digest = bytes.fromhex(sha256.removeprefix("0x"))
    return OfferedFile(
        name, _kind(name, kind), media_type_of(name), Blob(digest, size), stored=False
    )


def record(
    connection: Connection,
    view: AgreementView,
    milestone: int | str,
    offered: OfferedFile,
    supplied_by: Address,
    now: int,
) -> EvidenceEntry:
    """List a file as evidence for a milestone. Doing it again changes nothing.

    Raises:
        UsageError: no such milestone, a stranger, the name is taken, or there are too many.
    """
    role = require_supplier(view, milestone, supplied_by)
    index = view.find(milestone).index
    serialize(connection, f"evidence {view.id.hex()}")
    known = [
        entry_of(row)
        for row in connection.execute(
            select(t.evidence)
            .where(t.evidence.c.agreement_id == view.id, t.evidence.c.milestone == index)
            .order_by(t.evidence.c.id)
        )
    ]
    for entry in known:
        same = (entry.sha256, entry.kind, entry.supplied_by)
        if same == (offered.blob.sha256, offered.kind, supplied_by) and (
            entry.stored or not offered.stored
        ):
            return entry
    taken = frozenset(entry.name for entry in known)
    name = listed_name(offered.name, offered.kind, taken)
    _require_room(view, milestone, name, taken)
    entry = EvidenceEntry(
        agreement_id=view.id,
        milestone=index,
        name=name,
        kind=offered.kind,
        media_type=media_type_of(name),
        size=offered.blob.size,
        sha256=offered.blob.sha256,
        stored=offered.stored,
        supplied_by=supplied_by,
        role=role,
        added_at=now,
    )
    connection.execute(insert(t.evidence).values(asdict(entry)))
    audit_log.record(
        connection, now, supplied_by, "evidence.added", audit_log.subject_of(view.id, index),
        name=name, kind=offered.kind, sha256=offered.blob.sha256, size=offered.blob.size,
        stored=offered.stored,
    )  # fmt: skip
    return entry


def remove(
    connection: Connection,
    view: AgreementView,
    milestone: int | str,
    name: str,
    account: Address,
    now: int,
) -> EvidenceEntry:
    """Take a file off the list: by whoever handed it in, while no signature can rest on it.

    Raises:
        UsageError: there is no such file, or it is somebody else's.
        EscrowError: somebody has signed since.
    """
    stage = view.find(milestone)
    e = t.evidence
    where = (e.c.agreement_id == view.id, e.c.milestone == stage.index, e.c.name == name)
    row = connection.execute(select(e).where(*where)).first()
    if row is None:
        raise UsageError(f"there is no evidence '{name}' for '{stage.key}'")
    entry = entry_of(row)
    if entry.supplied_by != account:
        raise UsageError(
            f"'{name}' was handed in by {entry.role}", hint="whoever handed it in takes it back"
        )
    if is_committed(connection, entry):
        raise EscrowError(
            f"'{name}' must stay: somebody has signed on '{stage.key}' since it was handed in",
            hint="hand in the right file under another name",
        )
    connection.execute(delete(e).where(*where))
    audit_log.record(
        connection, now, account, "evidence.removed", audit_log.subject_of(view.id, stage.index),
        name=name, sha256=entry.sha256,
    )  # fmt: skip
    return entry


def is_committed(connection: Connection, entry: EvidenceEntry) -> bool:
    """Whether somebody signed, or submitted on chain, when this was listed already.

    What they committed to may hold only some of the files; nobody can tell without the list that
    they saw, so all of it stays.
    """
    a, d, v = t.attestations, t.decisions, t.events
    mine = [(table.c.agreement_id == entry.agreement_id) & (table.c.milestone == entry.milestone)
            for table in (a, d, v)]  # fmt: skip
    queries = (
        select(func.count()).where(mine[0], a.c.received_at >= entry.added_at),
        select(func.count()).where(mine[1], d.c.decided_at >= entry.added_at),
        select(func.count()).where(
            mine[2],
            v.c.time >= entry.added_at,
            or_(v.c.name == "MilestoneAttested", v.c.name == "MilestoneSubmitted"),
        ),
    )
    return any(connection.execute(query).scalar_one() for query in queries)


def require_supplier(view: AgreementView, milestone: int | str, account: Address) -> str:
    """The role in which an account hands in evidence.

    Raises:
        UsageError: it has none in this agreement, or the milestone is settled.
    """
    stage = view.find(milestone)
    if not may_read(view, account):
        raise UsageError(
            f"{account} has no role in {view.name}",
            hint="evidence comes from the agreement's own people, or who bought the payout",
        )
    if stage.state.status is Status.SETTLED:
        raise UsageError(f"'{stage.key}' is settled: nothing is left to be shown for it")
    return view.role_of(account, stage.index) or view.role_of(account)


def _require_room(
    view: AgreementView, milestone: int | str, name: str, taken: frozenset[str]
) -> None:
    if len(taken) >= MAX_FILES:
        raise UsageError(
            f"there are {len(taken)} files for '{milestone}' of {view.name} already",
            hint="put several into one zip",
        )
    # Some systems do not tell "A.pdf" from "a.pdf", and whoever downloads both would lose one.
    if name.casefold() in {other.casefold() for other in taken}:
        raise UsageError(
            f"there is another file '{name}' for this milestone",
            hint="give this one another name, or a number: photos-13.jpeg",
        )


def _kind(name: str, kind: str) -> str:
    found = read_kind(kind) if kind else kind_of(name)
    if not found:
        raise UsageError(
            f"the name '{name}' does not say what the file is", hint="add --kind bill_of_lading"
        )
    return found[:80]


def _watched(
    chunks: Iterable[bytes], inspection: Inspection, limit: int, name: str
) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise UsageError(
                f"'{name}' is larger than the {limit:,} bytes that are taken",
                hint="make it smaller, or give only its hash with --hash-only",
                too_large=True,
            )
        inspection.see(chunk)
        yield chunk
