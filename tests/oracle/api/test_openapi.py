"""The OpenAPI document: it is current, and the service does what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from milestone_escrow.oracle.api import reference
from tests.docs.console import ROOT
from tests.oracle.api.world import World


def test_the_committed_document_is_current() -> None:
    """After a change: `python -m milestone_escrow.oracle.api.reference > docs/openapi.json`."""
    assert (ROOT / "docs" / "openapi.json").read_text("utf-8") == reference.text()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    found = json.loads(reference.text())["paths"]
    return [
        (method.upper(), path, operation)
        for path, methods in found.items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize(
    ("method", "path", "operation"), operations(), ids=lambda value: str(value)[:80]
)
def test_every_operation_says_who_may_call_it_and_how_it_refuses(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert "security" in operation
    for status, answer in operation["responses"].items():
        if int(status) >= 400 and (path, status) != ("/readyz", "503"):
            (schema,) = (body["schema"] for body in answer["content"].values())
            assert list(answer["content"]) == ["application/problem+json"]
            assert schema == {"$ref": "#/components/schemas/ProblemBody"}
    anonymous = {} in operation["security"] or operation["security"] == []
    assert anonymous or "401" in operation["responses"]


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and "__" not in name for name in names)


def test_the_service_hands_out_the_same_document(world: World) -> None:
    assert world.get("/v1/openapi.json").json() == json.loads(reference.text())
