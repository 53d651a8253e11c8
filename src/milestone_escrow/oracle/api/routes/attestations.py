"""Attestations: posted by whoever has the signatures, which speak for themselves."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import Connection, select

from milestone_escrow.oracle.api import problems, view_bodies
from milestone_escrow.oracle.api.bodies.attestations import (
    AttestationBody,
    AttestationFields,
    AttestationList,
    AttestationPost,
    CalldataBody,
    RefusalBody,
    TakenBody,
)
from milestone_escrow.oracle.api.bodies.common import (
    HASH_PATTERN,
    hexed,
    moment,
)
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.idempotency import Answer
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    OPEN,
    PUBLIC,
    AgreementId,
    IdempotencyKey,
    Index,
    answered,
    calldata,
    limited,
    once,
    refusal,
)
from milestone_escrow.oracle.api.viewers import Asking, Deps, find, stage, visible
from milestone_escrow.oracle.relaying.calls import attest_call
from milestone_escrow.oracle.signing.attestation_json import attestation_data, read_post
from milestone_escrow.oracle.signing.counting import (
    CountedAttestation,
    Dossier,
    cases,
    dossiers,
    words_behind,
)
from milestone_escrow.oracle.signing.examining import IntakeOutcome, examine
from milestone_escrow.oracle.signing.group_commit import SharedIntake
from milestone_escrow.oracle.signing.recording import record
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Verdict

router = APIRouter(
    prefix="/v1/agreements/{agreement_id}/milestones/{index}/attestations",
    tags=["attestations"],
    route_class=CarefulRoute,
)


def intake_of(request: Request, deps: Deps) -> SharedIntake:
    """The one intake of this application."""
    state = request.app.state
    if not hasattr(state, "intake"):

        def chain_now() -> int:
            with deps.store.reading() as connection:
                return deps.chain_now(connection)

        state.intake = SharedIntake(
            deps.store,
            deps.settings.domain,
            chain_now,
            wallets=deps.wallets,
        )
    found: SharedIntake = state.intake
    return found


Intake: TypeAlias = Annotated[SharedIntake, Depends(intake_of)]


@router.post(
    "",
    summary="Post an attestation",
    status_code=201,
    response_model=TakenBody,
    responses={
        200: {"model": TakenBody, "description": "All of its signatures were here already"},
        **documented(401, 403, 404, 409, 413, 415, 422),
    },
    dependencies=[JSON_ONLY, limited("attest")],
    openapi_extra=OPEN,
)
def post_attestation(
    deps: Deps,
    intake: Intake,
    viewer: Asking,
    agreement_id: AgreementId,
    index: Index,
    body: AttestationPost,
    key: IdempotencyKey = None,
) -> Response:
    """Nobody needs to be signed in: a verifier's signature says who it is. Signatures of the same
    attestation add up; whoever posts what is known already changes nothing."""
    sent = read_post(body.model_dump(exclude_none=True))
    attestation = sent.attestation
    if (hexed(attestation.agreement_id), attestation.milestone) != (agreement_id, index):
        raise Problem(422, "the attestation is about another milestone than the path names")
    if key is None:
        # Nothing to remember beside it, so it shares a commit with whoever posts meanwhile.
        return answered(deps, _answer(intake.take(sent, viewer.name)))
    place = (attestation.agreement_id, index)
    with deps.store.reading() as connection:
        case = cases(connection, [place]).get(place)
        chain_now = deps.chain_now(connection)
    # A contract's signature is a question to the chain, so nothing is locked while it is asked.
    examined = examine(deps.settings.domain, case, sent, deps.wallets)
    if not examined.signatures:
        raise _refused(IntakeOutcome(examined.digest, None, refused=examined.refused))

    def work(connection: Connection) -> Answer:
        return _answer(record(connection, [examined], chain_now, actor=viewer.name)[0])

    asked = ("attestations", agreement_id, index, body.model_dump_json())
    return once(deps, key, viewer.name, asked, work)


@router.get(
    "", summary="List attestations", responses=documented(401, 404, 422), openapi_extra=PUBLIC
)
def list_attestations(
    deps: Deps, viewer: Asking, agreement_id: AgreementId, index: Index
) -> AttestationList:
    """Every attestation of a milestone, with who has signed and who has not."""
    whole = find(deps, agreement_id, viewer)
    view, found = visible(whole, viewer), stage(whole, index)
    place = (view.id, index)
    with deps.store.reading() as connection:
        dossier = dossiers(connection, [place])[place]
        received = _received(connection, view.id, index)
        words = words_behind(
            connection, {entry.attestation.evidence_hash for entry in dossier.entries.values()}
        )
    may_read = viewer.may_read(whole)
    entries = sorted(
        dossier.entries.values(),
        key=lambda entry: (-entry.attestation.issued_at, entry.digest),
    )
    return AttestationList(
        quorum=found.milestone.quorum,
        verifiers=[
            view_bodies.person(view, account)
            for account in view.terms.verifiers_of(found.milestone)
        ],
        items=[
            _body(
                deps,
                view,
                dossier,
                entry,
                received[entry.digest],
                dict(words.get(entry.attestation.evidence_hash, {})) if may_read else {},
                may_read,
            )
            for entry in entries
        ],
    )


@router.get(
    "/{digest}/calldata",
    summary="The calldata of a complete quorum",
    responses=documented(401, 404, 409, 422),
    openapi_extra=PUBLIC,
)
def get_calldata(
    deps: Deps,
    viewer: Asking,
    agreement_id: AgreementId,
    index: Index,
    digest: Annotated[str, Path(pattern=HASH_PATTERN, description="The attestation's digest")],
) -> CalldataBody:
    """What anybody may send to the contract to carry out what the quorum has signed, should the
    service not do it."""
    view = find(deps, agreement_id, viewer)
    milestone, place = stage(view, index).milestone, (view.id, index)
    with deps.store.reading() as connection:
        dossier = dossiers(connection, [place])[place]
    entry = dossier.entries.get(bytes.fromhex(digest[2:]))
    if entry is None:
        raise Problem(404, "no such attestation of this milestone is known here")
    if entry.attestation.verdict is Verdict.RETURNED:
        raise Problem(
            409, "a return for rework has no effect on chain, so there is nothing to send"
        )
    counted = dossier.signers(entry, view.terms.verifiers_of(milestone))
    if len(counted) < milestone.quorum:
        raise Problem(
            409,
            f"{len(counted)} of {milestone.quorum} verifiers have signed",
            hint="wait for the others",
        )
    signatures = {account: entry.signatures[account] for account in counted}
    data = attest_call(view, entry.attestation, entry.digest, signatures)
    return calldata(deps, data, counted)


def _body(
    deps: ApiDeps,
    view: AgreementView,
    dossier: Dossier,
    entry: CountedAttestation,
    received: int,
    words: dict[str, object],
    may_read: bool,
) -> AttestationBody:
    attestation = entry.attestation
    milestone = view.milestones[attestation.milestone]
    verifiers = view.terms.verifiers_of(milestone)
    counted = dossier.signers(entry, verifiers)
    batch = entry.complete_batch
    missing = 0 if batch is not None else max(0, milestone.quorum - len(counted))
    digest, path = hexed(entry.digest), f"/v1/agreements/{hexed(view.id)}/milestones/"
    calldata = None
    if len(counted) >= milestone.quorum and attestation.verdict is not Verdict.RETURNED:
        calldata = f"{path}{attestation.milestone}/attestations/{digest}/calldata"
    return AttestationBody(
        digest=digest,
        attestation=AttestationFields.model_validate(attestation_data(attestation)),
        amount=view_bodies.money(attestation.amount, view, deps.settings.network),
        state=entry.stage.value,
        signers=[
            view_bodies.person(view, account) for account in dossier.said_by(entry, verifiers)
        ],
        missing=missing,
        waiting_for=[view_bodies.person(view, a) for a in verifiers if a not in counted]
        if missing
        else [],
        received_at=moment(received),
        reason=entry.reason or None if may_read else None,
        words=words or None,
        batches=[hexed(one) for one in sorted(entry.batches)],
        calldata=calldata,
    )


def _received(connection: Connection, agreement_id: bytes, index: int) -> dict[bytes, int]:
    table = t.attestations.c
    rows = connection.execute(
        select(table.digest, table.received_at)
        .where(table.agreement_id == agreement_id)
        .where(table.milestone == index)
    )
    return {row.digest: row.received_at for row in rows}


def _answer(outcome: IntakeOutcome) -> Answer:
    if not outcome.is_taken or outcome.stage is None:
        # Not an error: what a verifier was refused stays in the audit log.
        refusal = _refused(outcome)
        return Answer(refusal.status, problems.encoded(refusal).decode())
    return Answer(201 if outcome.added else 200, _taken(outcome).model_dump_json())


def _taken(outcome: IntakeOutcome) -> TakenBody:
    assert outcome.stage is not None
    return TakenBody.model_validate(
        {
            "digest": hexed(outcome.digest),
            "state": outcome.stage.value,
            "added": list(outcome.added),
            "known": list(outcome.known),
            "refused": [
                RefusalBody(account=one.account or None, error=one.error, reason=one.reason)
                for one in outcome.refused
            ],
            "signers": list(outcome.signers),
            "quorum": outcome.quorum,
            "is_complete": outcome.is_complete,
            "evidence": outcome.evidence,
        }
    )


def _refused(outcome: IntakeOutcome) -> Problem:
    return refusal(outcome.refused[0].error, outcome.reason)
