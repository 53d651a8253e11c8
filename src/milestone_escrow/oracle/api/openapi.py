"""The OpenAPI document: what the routes say, plus what holds for all of them."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from milestone_escrow import __version__
from milestone_escrow.oracle.api.bodies.evidence import HashOnly
from milestone_escrow.oracle.api.problems import Complaint, ProblemBody
from milestone_escrow.oracle.api.viewers import CSRF_HEADER

DESCRIPTION = (
    "What the oracle service knows about agreements, and how evidence and attestations reach it. "
    "Amounts are text in token units, times Unix seconds with RFC 3339 beside them. What is on "
    "chain is public; documents, names and evidence are for an agreement's own people. Refusals "
    "are problem details (RFC 9457)."
)

SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A session's token from POST /v1/login, the operator's, or a link's",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "escrow_session",
        "description": "A browser's session; over https it is called __Host-escrow. Requests that "
        f"change something also need the header {CSRF_HEADER}: 1",
    },
    "link": {
        "type": "apiKey",
        "in": "query",
        "name": "link",
        "description": "A read-only link to one agreement",
    },
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(
        title="Milestone escrow: the oracle",
        version=__version__,
        description=DESCRIPTION,
        routes=app.routes,
    )
    components = made.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    for model in (Complaint, ProblemBody, HashOnly):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    app.openapi_schema = made
    return made


def methods(app: FastAPI, path: str) -> tuple[str, ...]:
    """The methods that a path knows; none where the document does not have it."""
    for template, operations in document(app)["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            return tuple(sorted(method.upper() for method in operations))
    return ()
