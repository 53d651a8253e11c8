"""Requests made from the OpenAPI document by a machine: none of them surprises the service, and no
answer surprises the document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.api.app import bare
from milestone_escrow.oracle.api.throttle import Rate
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.policies.webhook import Hook
from milestone_escrow.oracle.store.store import Store
from tests.oracle.api.test_evidence import PDF, hand_in
from tests.oracle.api.world import DOMAIN, World, build, seed

pytestmark = pytest.mark.slow

FEW = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service that refuses nobody for asking often, with a place for files."""
    folder = tmp_path_factory.mktemp("service")
    store = Store.open(folder / "oracle.db", DOMAIN)
    seed(store)
    world = build(
        store,
        rates={"any": Rate(10**9, 1)},
        blobs=Folder(folder / "evidence"),
        hooks={"carrier": Hook(Secret("carrier", "a secret that two share"))},
    )
    hand_in(world, "supplier", "photos.pdf", PDF)
    door.inside = world.app
    yield world
    world.client.close()
    store.close()


class Door:
    """The tests are named at collection by the routes alone; they run against the service."""

    def __init__(self) -> None:
        self.inside: Any = bare()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.inside(scope, receive, send)


door = Door()


def described() -> schemathesis.BaseSchema:
    found = schemathesis.openapi.from_asgi("/v1/openapi.json", door)
    found.config.max_stream_events = 1
    return found


schema = described()
# The boundary of every single field is tried by the strangers already.
brief = described()
brief.config.phases.coverage.enabled = False


@schema.parametrize()
@FEW
@pytest.mark.usefixtures("service")
def test_strangers_requests_are_answered_as_documented(case: schemathesis.Case) -> None:
    # No schema can say what is signed by whom, so what fits the document may still be refused.
    case.call_and_validate(excluded_checks=[positive_data_acceptance])


@brief.parametrize()
@FEW
def test_a_partys_requests_about_its_agreement_are_answered_as_documented(
    case: schemathesis.Case, service: World
) -> None:
    for name, value in {"agreement_id": service.id, "index": 1, "source": "carrier"}.items():
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = value
    response = case.call(headers=service.as_("buyer"))
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
        ],
    )
