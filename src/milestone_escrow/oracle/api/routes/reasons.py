"""Why a milestone was disputed, and why it was ruled on as it was: for the agreement's people."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from milestone_escrow.chain.contract.events import MilestoneDisputed
from milestone_escrow.errors import LifecycleError
from milestone_escrow.oracle import given_reasons
from milestone_escrow.oracle.api.bodies.common import hexed, moment
from milestone_escrow.oracle.api.bodies.reasons import ReasonBody, ReasonList, ReasonPost
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.idempotency import Answer
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    PEOPLE,
    READERS,
    AgreementId,
    IdempotencyKey,
    Index,
    SignedIn,
    limited,
    once,
)
from milestone_escrow.oracle.api.viewers import (
    Asking,
    Deps,
    find,
    require_person,
    require_reader,
    stage,
)

router = APIRouter(
    prefix="/v1/agreements/{agreement_id}/milestones/{index}/reasons",
    tags=["reasons"],
    route_class=CarefulRoute,
)


@router.get(
    "",
    summary="List reasons of disputes and rulings",
    responses=documented(401, 403, 404, 422),
    openapi_extra=READERS,
)
def list_reasons(deps: Deps, viewer: Asking, agreement_id: AgreementId, index: Index) -> ReasonList:
    """On chain are only their hashes; here are the texts that were handed in."""
    view = find(deps, agreement_id, viewer)
    require_reader(viewer, view)
    stage(view, index)
    with deps.store.reading() as connection:
        return _listed(given_reasons.given(connection, view, index))


@router.post(
    "",
    summary="Hand in a reason",
    status_code=201,
    response_model=ReasonList,
    responses={
        200: {"model": ReasonList, "description": "It was here already"},
        **documented(401, 403, 404, 413, 415, 422),
    },
    dependencies=[JSON_ONLY, limited("write")],
    openapi_extra=PEOPLE,
)
def hand_in_reason(
    deps: Deps,
    viewer: SignedIn,
    agreement_id: AgreementId,
    index: Index,
    body: ReasonPost,
    key: IdempotencyKey = None,
) -> Response:
    """The agreement's people can, whoever of them wrote it: its hash is on chain already."""
    view = find(deps, agreement_id, viewer)
    account = require_person(viewer, view)
    stage(view, index)

    def work(connection: Connection) -> Answer:
        try:
            is_new = given_reasons.hand_in(
                connection, view, index, body.reason, account, deps.now()
            )
        except LifecycleError as error:
            raise Problem(404, error.message, hint=error.hint) from error
        listed = _listed(given_reasons.given(connection, view, index))
        return Answer(201 if is_new else 200, listed.model_dump_json())

    asked = ("reasons", agreement_id, index, body.model_dump_json())
    return once(deps, key, viewer.name, asked, work)


def _listed(found: list[given_reasons.Reason]) -> ReasonList:
    return ReasonList(
        items=[
            ReasonBody(
                act="dispute" if isinstance(one.event, MilestoneDisputed) else "ruling",
                at=moment(one.event.place.time),
                reason_hash=hexed(one.event.reason_hash),
                reason=one.text or None,
            )
            for one in found
        ]
    )
