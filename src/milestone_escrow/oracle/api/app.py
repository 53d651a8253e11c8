"""The application: routes, the gate around them, and one shape for every refusal."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle.api import openapi, problems
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.gate import Gate, TooLarge
from milestone_escrow.oracle.api.hub import Hub
from milestone_escrow.oracle.api.metrics import Metrics
from milestone_escrow.oracle.api.problems import Complaint, Problem
from milestone_escrow.oracle.api.routes import (
    agreement_history,
    agreements,
    attestations,
    batches,
    evidence,
    hooks,
    links,
    login,
    offers,
    operations,
    reasons,
    requirements,
    stream,
)
from milestone_escrow.oracle.api.throttle import KIB, MIB, Buckets, networks

logger = logging.getLogger("milestone_escrow.oracle.api")

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ROOMS = (
    agreements,
    agreement_history,
    evidence,
    attestations,
    batches,
    offers,
    reasons,
    requirements,
    hooks,
    links,
    login,
    stream,
    operations,
)
_EVIDENCE = re.compile(r"/v1/agreements/[^/]+/milestones/[^/]+/evidence")
_JSON_LIMIT = 256 * KIB
_DOCUMENT_LIMIT = 6 * MIB
# What multipart adds around a file.
_ENVELOPE = 64 * KIB
_LONGEST_COMPLAINTS = 20


def create_app(deps: ApiDeps) -> FastAPI:
    """The whole interface over these rooms. `app.state.hub.close()` ends its live streams."""
    app = bare(_lifespan)
    app.state.deps = deps
    app.state.hub = Hub(deps)
    app.state.metrics = Metrics(deps)
    app.state.node = operations.Remembered(deps.chain_problem)
    app.state.buckets = Buckets(deps.settings.rates, deps.clock)
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    app.add_middleware(
        Gate,
        buckets=app.state.buckets,
        limit_of=_limits(deps),
        observe=app.state.metrics.observe,
        trusted=networks(deps.settings.trusted_proxies),
        secure=deps.settings.is_secure,
    )
    return app


def bare(lifespan: Lifespan | None = None) -> FastAPI:
    """The routes alone, which is enough for their OpenAPI document."""
    app = FastAPI(
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # Whoever generates a client calls each operation what it is called here.
        generate_unique_id_function=lambda route: route.name,
    )
    for room in _ROOMS:
        app.include_router(room.router)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.hub.open()
    yield
    app.state.hub.close()


def _limits(deps: ApiDeps) -> Callable[[str, str], int]:
    upload = deps.rules.max_size + _ENVELOPE

    def limit(method: str, path: str) -> int:
        # The page takes agreement files and spreadsheets, and bounds each by itself.
        if path == "/v1/agreements" or path.startswith("/web/"):
            return _DOCUMENT_LIMIT
        return upload if _EVIDENCE.fullmatch(path) else _JSON_LIMIT

    return limit


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, EscrowError)
    problem = problems.of(error)
    if problem.status >= 500:
        logger.warning("refused: %s", problem.kind, extra={"fields": {"detail": problem.message}})
    return problems.response(problem)


def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses: an unknown path, a wrong method, a body that is no JSON."""
    if isinstance(error, TooLarge):
        return problems.response(error.problem())
    assert isinstance(error, _StarletteHTTPException)
    hints = {404: "see /v1/openapi.json for all paths", 405: "see Allow for those that are"}
    details = {
        400: "the body cannot be read",
        404: f"there is nothing at {request.url.path[:200]}",
        405: f"{request.method[:20]} is not allowed here",
    }
    problem = Problem(
        error.status_code,
        details.get(error.status_code, str(error.detail)),
        hint=hints.get(error.status_code, ""),
        headers={**dict(error.headers or {}), **_allow(request, error.status_code)},
    )
    return problems.response(problem)


def _allow(request: Request, status: int) -> dict[str, str]:
    """All methods of a path: the framework names those of its first route only."""
    methods = openapi.methods(request.app, request.url.path) if status == 405 else ()
    return {"Allow": ", ".join(methods)} if methods else {}


def _invalid(request: Request, error: Exception) -> Response:
    """Fields that are missing or wrong: where and why, never what was sent."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    complaints = tuple(
        Complaint(where=".".join(str(step)[:80] for step in item["loc"]), message=item["msg"])
        for item in found[:_LONGEST_COMPLAINTS]
    )
    malformed = any(item["type"] == "json_invalid" for item in found)
    message = "the body is not JSON" if malformed else "the request is not as it must be"
    status = 400 if malformed else 422
    return problems.response(Problem(status, message, errors=complaints))


def _store(request: Request, error: Exception) -> Response:
    logger.exception("the store failed", exc_info=error)
    problem = Problem(
        503,
        "the service's store cannot be used just now",
        hint="try again in a minute",
        headers={"Retry-After": "60"},
    )
    return problems.response(problem)


# The framework raises its base's errors too, whose module it does not re-export.
_StarletteHTTPException: Any = HTTPException.__mro__[1]

_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    EscrowError: _refused,
    _StarletteHTTPException: _http,
    RequestValidationError: _invalid,
    SQLAlchemyError: _store,
}
