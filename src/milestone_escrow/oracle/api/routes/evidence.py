"""Evidence: handed in by the agreement's people, seen by them and by nobody else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import IO, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.bodies.common import hexed, moment
from milestone_escrow.oracle.api.bodies.evidence import EvidenceBody, EvidenceList, HashOnly
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.idempotency import Answer
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    PEOPLE,
    READERS,
    AgreementId,
    IdempotencyKey,
    Index,
    SignedIn,
    limited,
    once,
)
from milestone_escrow.oracle.api.uploads import PIECE, REQUEST_BODY, SentFile, Uploaded
from milestone_escrow.oracle.api.viewers import (
    Asking,
    Deps,
    Viewer,
    find,
    require_person,
    require_reader,
    stage,
    unauthorized,
)
from milestone_escrow.oracle.evidence import handing_in
from milestone_escrow.oracle.evidence.blobs import Blobs
from milestone_escrow.oracle.evidence.entries import EvidenceEntry, entry_of, listing, read
from milestone_escrow.oracle.evidence.handing_in import OfferedFile
from milestone_escrow.oracle.evidence.manifests import manifest_files, manifest_hash
from milestone_escrow.oracle.store import tables as t

router = APIRouter(prefix="/v1", tags=["evidence"], route_class=CarefulRoute)

_PATH = "/agreements/{agreement_id}/milestones/{index}/evidence"
# What no reader runs as a program of this site, even one that ignores all the other headers.
_PLAIN_TYPES = frozenset(
    {
        "application/pdf", "application/json", "application/zip", "image/png", "image/jpeg",
        "image/gif", "image/webp", "image/tiff", "image/heic", "video/mp4", "text/csv",
        "text/plain",
    }
)  # fmt: skip


@router.get(
    _PATH,
    summary="List evidence",
    responses=documented(401, 403, 404, 422),
    openapi_extra=READERS,
)
def list_evidence(
    deps: Deps, viewer: Asking, agreement_id: AgreementId, index: Index
) -> EvidenceList:
    """A milestone's evidence, and the manifest that an attestation commits to."""
    view = find(deps, agreement_id, viewer)
    require_reader(viewer, view)
    stage(view, index)
    with deps.store.reading() as connection:
        entries = listing(connection, view.id, index)
    manifest = manifest_files(entries)
    return EvidenceList(
        evidence_hash=hexed(manifest_hash(manifest)),
        manifest={"format": "1", "files": [file.data() for file in manifest.files]},
        items=[_body(entry) for entry in entries],
    )


@router.post(
    _PATH,
    summary="Hand in evidence",
    status_code=201,
    response_model=EvidenceBody,
    responses={
        200: {"model": EvidenceBody, "description": "It was here already"},
        **documented(401, 403, 404, 409, 413, 415, 422),
    },
    dependencies=[limited("write")],
    openapi_extra={**PEOPLE, "requestBody": REQUEST_BODY},
)
def add_evidence(
    deps: Deps,
    upload: Uploaded,
    agreement_id: AgreementId,
    index: Index,
    key: IdempotencyKey = None,
) -> Response:
    """A file, or only its hash where it must not leave the house. A file has to be what its name
    says. The kind is taken from the name unless it is given."""
    offered, view, now = _offered(deps, upload.sent), upload.view, deps.now()

    def work(connection: Connection) -> Answer:
        known = {entry.name for entry in listing(connection, view.id, index)}
        entry = handing_in.record(connection, view, index, offered, upload.account, now)
        status = 200 if entry.name in known else 201
        return Answer(status, _body(entry).model_dump_json())

    asked = ("evidence", agreement_id, index, offered.name, offered.kind, offered.blob.sha256)
    location = f"/v1/evidence/{offered.blob.sha256.hex()}"
    return once(deps, key, upload.account, asked, work, location)


def _offered(deps: ApiDeps, sent: SentFile | HashOnly) -> OfferedFile:
    """Content is kept before it is listed; what is never listed nobody can reach."""
    if isinstance(sent, HashOnly):
        return handing_in.hashed(sent.name, sent.sha256, sent.size, kind=sent.kind or "")
    return handing_in.keep(
        _blobs(deps),
        deps.rules,
        sent.name,
        sent.pieces(),
        kind=sent.kind,
        declared=sent.declared,
    )


@router.delete(
    _PATH + "/{name}",
    summary="Take evidence back",
    status_code=204,
    responses=documented(401, 403, 404, 409, 422),
    dependencies=[limited("write")],
    openapi_extra=PEOPLE,
)
def remove_evidence(
    deps: Deps,
    viewer: SignedIn,
    agreement_id: AgreementId,
    index: Index,
    name: Annotated[str, Path(min_length=1, max_length=255)],
) -> Response:
    """Whoever handed it in takes it back, as long as nobody has signed since."""
    view = find(deps, agreement_id, viewer)
    account = require_person(viewer, view)
    stage(view, index)
    with deps.store.transaction() as connection:
        entries = {entry.name: entry for entry in listing(connection, view.id, index)}
        if name not in entries:
            raise Problem(404, "there is no such evidence for this milestone")
        if entries[name].supplied_by != account:
            raise Problem(403, "evidence is taken back by whoever handed it in")
        handing_in.remove(connection, view, index, name, account, deps.now())
    return Response(status_code=204)


@router.get(
    "/evidence/{sha256}",
    summary="Download evidence",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file, always as an attachment",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        },
        **documented(401, 404, 422),
    },
    openapi_extra=READERS,
)
def download_evidence(
    deps: Deps,
    viewer: Asking,
    sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
) -> Response:
    """A file by its SHA-256, for those who may read an agreement that it belongs to. Nobody else
    learns whether it exists."""
    if viewer.account is None and viewer.link is None and not viewer.is_operator:
        raise unauthorized("evidence is for an agreement's own people")
    with deps.store.reading() as connection:
        entry = _readable(connection, viewer, bytes.fromhex(sha256))
    if entry is None:
        raise Problem(404, "there is no such evidence that you may read")
    if not entry.stored:
        raise Problem(
            404,
            f"only the hash of '{entry.name}' is known here, the file stayed with {entry.role}",
            kind="hash-only",
            hint="ask them for it, and compare its SHA-256",
        )
    stream = read(_blobs(deps), entry)
    return StreamingResponse(
        _pieces(stream),
        media_type=entry.media_type if entry.media_type in _PLAIN_TYPES else _OCTETS,
        headers={
            "Content-Length": str(entry.size),
            "Content-Disposition": disposition(entry.name),
            "Repr-Digest": f"sha-256=:{base64.b64encode(entry.sha256).decode()}:",
        },
    )


_OCTETS = "application/octet-stream"


def disposition(name: str) -> str:
    """A name that no header and no system trips over, and the real one (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _readable(connection: Connection, viewer: Viewer, sha256: bytes) -> EvidenceEntry | None:
    """The evidence of that content in an agreement that the viewer may read; the one with the
    file, where there are several."""
    rows = connection.execute(select(t.evidence).where(t.evidence.c.sha256 == sha256)).all()
    views = viewing.agreements(connection, {row.agreement_id for row in rows})
    allowed = {view.id for view in views if viewer.may_read(view)}
    entries = [entry_of(row) for row in rows if row.agreement_id in allowed]
    return max(entries, key=lambda entry: entry.stored) if entries else None


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(PIECE):
            yield piece


def _blobs(deps: ApiDeps) -> Blobs:
    if deps.blobs is None:
        raise Problem(503, "this service keeps no files", headers={"Retry-After": "3600"})
    return deps.blobs


def _body(entry: EvidenceEntry) -> EvidenceBody:
    return EvidenceBody(
        agreement_id=hexed(entry.agreement_id),
        milestone=entry.milestone,
        name=entry.name,
        kind=entry.kind,
        media_type=entry.media_type,
        size=entry.size,
        sha256=entry.sha256.hex(),
        supplied_by=entry.supplied_by,
        role=entry.role,
        added_at=moment(entry.added_at),
        download=f"/v1/evidence/{entry.sha256.hex()}" if entry.stored else None,
    )
