"""Events that carriers, build servers and banks send, signed as agreed with the operator."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from milestone_escrow.oracle.api.bodies.attestations import ReceivedBody
from milestone_escrow.oracle.api.bodies.common import hexed
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import KINDS, Problem, documented
from milestone_escrow.oracle.api.routes.common import JSON_ONLY, OPEN, limited
from milestone_escrow.oracle.api.viewers import Deps
from milestone_escrow.oracle.policies.webhook import HookError, receive

router = APIRouter(prefix="/v1/hooks", tags=["hooks"], route_class=CarefulRoute)

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["event", "agreement", "milestone"],
                "properties": {
                    "event": {"type": "string", "minLength": 1},
                    "agreement": {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"},
                    "milestone": {"type": "string", "minLength": 1},
                },
            }
        }
    },
}


async def raw_body(request: Request) -> bytes:
    """The bytes as they came: they are what was signed."""
    return await request.body()


@router.post(
    "/{source}",
    summary="Take in an event",
    responses=documented(401, 404, 409, 413, 415, 422),
    dependencies=[JSON_ONLY, limited("hook")],
    openapi_extra={
        **OPEN,
        "requestBody": _BODY,
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in _HEADERS
        ],
    },
)
def take_event(
    request: Request,
    deps: Deps,
    source: Annotated[str, Path(pattern=r"^[a-z][a-z0-9_-]{0,39}$")],
    body: Annotated[bytes, Depends(raw_body)],
) -> ReceivedBody:
    """Signed as by Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`,
    HMAC-SHA256 with the secret agreed upon. The same delivery counts once."""
    headers = {name: request.headers.get(name, "") for name in _HEADERS}
    try:
        with deps.store.transaction() as connection:
            received = receive(connection, deps.hooks, source, headers, body, deps.now())
    except HookError as error:
        extra = {"WWW-Authenticate": "Webhook"} if error.status == 401 else {}
        raise Problem(
            error.status, error.message, kind=KINDS[error.status], hint=error.hint, headers=extra
        ) from error
    if received.is_new:
        deps.wake()
    return ReceivedBody(
        source=received.source,
        event=received.event,
        agreement_id=hexed(received.agreement_id),
        milestone=received.milestone,
        is_new=received.is_new,
    )
