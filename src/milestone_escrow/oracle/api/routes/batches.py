"""Batches of attestations: posted by whoever has the signatures, reviewed by who signs next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import problems, view_bodies
from milestone_escrow.oracle.api.bodies.attestations import AttestationFields, CalldataBody
from milestone_escrow.oracle.api.bodies.batches import (
    BatchBody,
    BatchItemBody,
    BatchPostBody,
    BatchTakenBody,
)
from milestone_escrow.oracle.api.bodies.common import HASH_PATTERN, hexed, moment
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.idempotency import Answer
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    OPEN,
    PUBLIC,
    IdempotencyKey,
    calldata,
    limited,
    once,
    refusal,
)
from milestone_escrow.oracle.api.viewers import Asking, Deps, Viewer, visible
from milestone_escrow.oracle.relaying.calls import batch_call
from milestone_escrow.oracle.signing import waiting_batches
from milestone_escrow.oracle.signing.attestation_json import attestation_data
from milestone_escrow.oracle.signing.batch_intake import examine_batch, record_batch
from milestone_escrow.oracle.signing.batch_json import read_batch
from milestone_escrow.oracle.signing.counting import (
    AttestationStage,
    CountedAttestation,
    cases,
    dossiers,
    words_behind,
)
from milestone_escrow.oracle.signing.examining import IntakeOutcome
from milestone_escrow.oracle.signing.waiting_batches import Counted, Kept
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.batch import Batch

router = APIRouter(prefix="/v1/batches", tags=["attestations"], route_class=CarefulRoute)


@router.post(
    "",
    summary="Post a batch of attestations",
    status_code=201,
    response_model=BatchTakenBody,
    responses={
        200: {"model": BatchTakenBody, "description": "All of its signatures were here already"},
        **documented(401, 403, 404, 409, 413, 415, 422),
    },
    dependencies=[JSON_ONLY, limited("attest")],
    openapi_extra=OPEN,
)
def post_batch(
    deps: Deps, viewer: Asking, body: BatchPostBody, key: IdempotencyKey = None
) -> Response:
    """Nobody needs to be signed in. Each attestation is checked as if it came alone, and all of
    the batch is taken or nothing. Signatures of the same batch add up; once they are a quorum for
    every milestone of it, one transaction brings all of it on chain."""
    sent = read_batch(body.model_dump(exclude_none=True))
    with deps.store.reading() as connection:
        chain_now = deps.chain_now(connection)
    # A contract's signature is a question to the chain, so nothing is locked while it is asked.
    examined = examine_batch(
        deps.store, deps.settings.domain, sent, deps.wallets, actor=viewer.name
    )
    if examined.refused:
        raise _refused(IntakeOutcome(examined.digest, None, refused=examined.refused))

    def work(connection: Connection) -> Answer:
        return _answer(record_batch(connection, examined, chain_now))

    location = f"{router.prefix}/{hexed(examined.digest)}"
    asked = ("batches", body.model_dump_json())
    return once(deps, key, viewer.name, asked, work, location)


@router.get(
    "/{digest}", summary="Get a batch", responses=documented(401, 404, 422), openapi_extra=PUBLIC
)
def get_batch(
    deps: Deps,
    viewer: Asking,
    digest: Annotated[str, Path(pattern=HASH_PATTERN, description="The batch's digest")],
) -> BatchBody:
    """All that it attests, who has signed and who has not: what a verifier reviews before signing
    it, too."""
    wanted = bytes.fromhex(digest[2:])
    with deps.store.reading() as connection:
        kept = waiting_batches.load(connection, [wanted]).get(wanted)
        if kept is None:
            raise Problem(
                404, f"no batch {digest[:12]}… is known here", hint="check the digest, or post it"
            )
        ids = dict.fromkeys(agreement_id for agreement_id, _ in kept.keys)
        views = {view.id: view for view in viewing.agreements(connection, ids)}
        if len(views) < len(ids):
            raise Problem(404, "an agreement of the batch is not open on chain any more")
        known = dossiers(connection, kept.keys)
        counted = waiting_batches.count(kept, cases(connection, kept.keys), known)
        hashes = [one.evidence_hash for one in kept.items.values()]
        words = words_behind(connection, hashes)
    first = visible(views[kept.keys[0][0]], viewer)
    return BatchBody(
        digest=digest,
        state=kept.stage.value,
        quorum=counted.quorum,
        signers=[view_bodies.person(first, account) for account in counted.signers],
        missing=max(0, counted.quorum - len(counted.signers)),
        waiting_for=[view_bodies.person(first, account) for account in counted.waiting_for],
        received_at=moment(kept.received_at),
        valid_until=moment(kept.valid_until),
        items=[
            _item(deps, viewer, views[key[0]], known[key].entries[item], words)
            for item, key in zip(kept.items, kept.keys, strict=True)
        ],
        calldata=_calldata(deps, kept, counted, views),
    )


def _item(
    deps: ApiDeps,
    viewer: Viewer,
    view: AgreementView,
    entry: CountedAttestation,
    words: Mapping[bytes, Mapping[str, object]],
) -> BatchItemBody:
    what, may_read = entry.attestation, viewer.may_read(view)
    found = words.get(what.evidence_hash, {}) if may_read else {}
    return BatchItemBody(
        digest=hexed(entry.digest),
        attestation=AttestationFields.model_validate(attestation_data(what)),
        amount=view_bodies.money(what.amount, visible(view, viewer), deps.settings.network),
        state=entry.stage.value,
        reason=entry.reason or None if may_read else None,
        words=dict(found) or None,
    )


def _calldata(
    deps: ApiDeps, kept: Kept, counted: Counted, views: Mapping[bytes, AgreementView]
) -> CalldataBody | None:
    if counted.stage is not AttestationStage.COMPLETE:
        return None
    batch = Batch(tuple((views[one.agreement_id], one) for one in kept.items.values()))
    signatures = {account: kept.signatures[account] for account in counted.signers}
    return calldata(deps, batch_call(batch, kept.digest, signatures), counted.signers)


def _answer(outcome: IntakeOutcome) -> Answer:
    if outcome.stage is None:
        # Not an error: what a verifier was refused stays in the audit log.
        problem = _refused(outcome)
        return Answer(problem.status, problems.encoded(problem).decode())
    body = BatchTakenBody(
        digest=hexed(outcome.digest),
        state=outcome.stage.value,
        added=list(outcome.added),
        known=list(outcome.known),
        signers=list(outcome.signers),
        waiting_for=list(outcome.waiting_for),
        quorum=outcome.quorum,
        is_complete=outcome.is_complete,
    )
    return Answer(201 if outcome.added else 200, body.model_dump_json())


def _refused(outcome: IntakeOutcome) -> Problem:
    return refusal(outcome.refused[0].error, outcome.reason)
