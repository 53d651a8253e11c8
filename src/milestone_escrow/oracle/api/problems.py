"""What the interface answers when it refuses: problem details (RFC 9457), always of one shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from milestone_escrow.errors import ChainError, EscrowError, LifecycleError, UsageError

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:milestone-escrow:problem:"

# What each status means here, where the request itself does not say more.
KINDS: Mapping[int, str] = {
    400: "malformed",
    401: "sign-in-needed",
    403: "not-yours",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    410: "gone",
    411: "length-required",
    413: "too-large",
    415: "wrong-content-type",
    422: "invalid",
    429: "too-many-requests",
    500: "internal",
    502: "chain-unavailable",
    503: "unavailable",
}


class Complaint(BaseModel):
    """One field of the request that is wrong."""

    model_config = ConfigDict(frozen=True)

    where: str = Field(description="Path of the field, as in `body.signature`")
    message: str


class ProblemBody(BaseModel):
    """Problem details as in RFC 9457; `hint` is the way out, for people."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    hint: str | None = None
    errors: list[Complaint] | None = None


class Problem(EscrowError):  # noqa: N818 - RFC 9457 calls it so
    """A request that is refused, with the HTTP status that says why."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "",
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        errors: tuple[Complaint, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind or KINDS.get(status, "refused")
        self.headers = dict(headers or {})
        self.errors = errors


def of(error: EscrowError) -> Problem:
    """The HTTP face of any error of the package."""
    if isinstance(error, Problem):
        return error
    status = 409
    if error.fields.get("too_large"):
        status = 413
    elif isinstance(error, UsageError):
        status = 422
    elif isinstance(error, ChainError):
        status = 502
    elif not isinstance(error, LifecycleError) and type(error).__name__ == "StoreError":
        # What the store complains about is the operator's matter, not the caller's.
        return Problem(
            503, "the service's store cannot be used just now", hint="try again in a minute"
        )
    return Problem(status, error.sentence, hint=error.hint)


def body(problem: Problem) -> dict[str, object]:
    """The JSON object that is sent."""
    fields: dict[str, object] = {
        "type": PREFIX + problem.kind,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.message,
    }
    if problem.hint:
        fields["hint"] = problem.hint
    if problem.errors:
        fields["errors"] = [complaint.model_dump() for complaint in problem.errors]
    return fields


def encoded(problem: Problem) -> bytes:
    """The body in bytes; a lone surrogate out of a caller's text must not break the refusal."""
    return json.dumps(body(problem), ensure_ascii=True).encode()


def response(problem: Problem) -> Response:
    return Response(
        encoded(problem), problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: these statuses, and those that every route can answer."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*statuses, 400, 429, 500, 503}):
        found[status] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        if status in (429, 503):
            found[status]["headers"] = {
                "Retry-After": {
                    "description": "Seconds after which to try again",
                    "schema": {"type": "integer"},
                    "required": status == 429,
                }
            }
    return found
