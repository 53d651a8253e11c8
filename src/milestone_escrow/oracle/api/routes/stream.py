"""Live status, as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from milestone_escrow.oracle.api import cursors
from milestone_escrow.oracle.api.bodies.common import HASH_PATTERN
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.changes import StreamPlace
from milestone_escrow.oracle.api.hub import Hub
from milestone_escrow.oracle.api.problems import documented
from milestone_escrow.oracle.api.routes.common import PUBLIC
from milestone_escrow.oracle.api.viewers import Asking

router = APIRouter(prefix="/v1", tags=["live"], route_class=CarefulRoute)

_EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "description": "A place to come back to, as Last-Event-ID"},
        "event": {"enum": ["hello", "change", "reset"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "Of a change: `kind`, `agreement`, `milestone` and `at`",
        },
    },
}


@router.get(
    "/stream",
    summary="Live status",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "`change` says what to look at again, `reset` to look at everything",
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        **documented(401, 422),
    },
    openapi_extra=PUBLIC,
)
async def stream(
    request: Request,
    viewer: Asking,
    agreement: Annotated[
        str | None, Query(pattern=HASH_PATTERN, description="Only what concerns this agreement")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(pattern=cursors.PATTERN, description="The last event seen: go on after it"),
    ] = None,
) -> StreamingResponse:
    """What changes, as it changes: events on chain for everybody, and for an agreement's own
    people also evidence, verdicts and signatures. A stream ends after a quarter of an hour;
    browsers come back by themselves and miss nothing."""
    hub: Hub = request.app.state.hub
    hub.admit(viewer.caller)
    place = StreamPlace.read(last_event_id) if last_event_id is not None else None
    only = bytes.fromhex(agreement[2:]) if agreement is not None else None
    return StreamingResponse(
        hub.read(viewer, only, place),
        media_type="text/event-stream",
        # Proxies that collect answers would hold the events back.
        headers={"X-Accel-Buffering": "no"},
    )
