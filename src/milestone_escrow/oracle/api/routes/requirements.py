"""What must be shown for a milestone, what has been, and an agreement's dates."""

from __future__ import annotations

from fastapi import APIRouter, Response

from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.evaluation import Evaluation
from milestone_escrow.oracle.api.bodies.attestations import FindingBody, RequirementsBody
from milestone_escrow.oracle.api.bodies.common import hexed, moment, moment_or_none
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import READERS, AgreementId, Index
from milestone_escrow.oracle.api.viewers import Asking, Deps, find, require_reader, stage
from milestone_escrow.oracle.policies.gather import gather
from milestone_escrow.oracle.reminders.calendar import calendar

router = APIRouter(
    prefix="/v1/agreements/{agreement_id}", tags=["agreements"], route_class=CarefulRoute
)


@router.get(
    "/milestones/{index}/requirements",
    summary="What is met, missing and failed",
    responses=documented(401, 403, 404, 409, 422),
    openapi_extra=READERS,
)
def get_requirements(
    deps: Deps, viewer: Asking, agreement_id: AgreementId, index: Index
) -> RequirementsBody:
    """The requirements as a tree, each with what it comes to now, why, and since when."""
    view = find(deps, agreement_id, viewer)
    require_reader(viewer, view)
    found = stage(view, index)
    if found.planned is None:
        raise Problem(
            409,
            "what the requirements are is in the agreement's document, which is not known here",
            hint="register it with POST /v1/agreements",
        )
    with deps.store.reading() as connection:
        now = deps.chain_now(connection)
        finding = evaluate(found.planned.requirements, gather(connection, view, index), now)
    return RequirementsBody(
        agreement_id=agreement_id,
        milestone=index,
        requirements_hash=hexed(found.milestone.requirements_hash),
        at=moment(now),
        finding=_body(finding),
    )


def _body(finding: Evaluation) -> FindingBody:
    return FindingBody(
        requirement=finding.requirement.words(),
        state=finding.standing.value,
        text=finding.text,
        since=moment_or_none(finding.since),
        independent=finding.independent,
        items=[_body(item) for item in finding.items],
    )


@router.get(
    "/calendar.ics",
    summary="The agreement's dates as a calendar",
    response_class=Response,
    responses={
        200: {
            "description": "iCalendar; subscribe to it with a read-only link",
            "content": {"text/calendar": {"schema": {"type": "string"}}},
        },
        **documented(401, 403, 404, 409, 422),
    },
    openapi_extra=READERS,
)
def get_calendar(deps: Deps, viewer: Asking, agreement_id: AgreementId) -> Response:
    """Due dates, and the days on which time decides. Calendars fetch it themselves: give them the
    address with `?link=`."""
    view = find(deps, agreement_id, viewer)
    require_reader(viewer, view)
    if not view.opened_block:
        raise Problem(409, "the agreement is not open yet", hint="come back once it is funded")
    with deps.store.reading() as connection:
        body = calendar(connection, view.id, deps.chain_now(connection))
    return Response(
        body,
        media_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{agreement_id[:10]}.ics"'},
    )
