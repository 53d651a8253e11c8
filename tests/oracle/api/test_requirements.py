"""What is met and missing, told to the agreement's people, and events that carriers send."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.policies.webhook import Hook
from milestone_escrow.oracle.policies.webhook_signature import secret_bytes, sign
from tests.oracle.api.test_evidence import PDF, hand_in
from tests.oracle.api.world import NOW, World, agreement, open_on_chain

SECRET = "a secret that two share"


@pytest.fixture
def woken() -> list[bool]:
    return []


@pytest.fixture
def world(make: Callable[..., World], tmp_path: Path, woken: list[bool]) -> World:
    hooks = {"carrier": Hook(Secret("carrier", SECRET))}
    return make(hooks=hooks, blobs=Folder(tmp_path / "evidence"), wake=lambda: woken.append(True))


def test_the_tree_says_what_is_missing_and_what_is_met(world: World) -> None:
    path = f"{world.url}/milestones/1/requirements"
    body = world.get(path, "buyer").json()
    (photos,) = body["finding"]["items"]
    assert (body["finding"]["state"], photos["state"]) == ("missing", "missing")
    assert photos["requirement"] == "photos from supplier"
    assert hand_in(world, "supplier", "photos-01.pdf", PDF).status_code == 201
    body = world.get(path, "arbiter").json()
    (photos,) = body["finding"]["items"]
    assert (body["finding"]["state"], photos["state"]) == ("met", "met")
    # What only the payee has supplied is no proof to the oracle.
    assert not body["finding"]["independent"]
    assert photos["since"]["unix"] == NOW


def test_without_the_document_nobody_knows_what_is_required(world: World) -> None:
    other = agreement("SHED-50")
    with world.store.transaction() as connection:
        open_on_chain(connection, other, block=50)
    url = "/v1/agreements/0x" + other.id.hex()
    answer = world.get(f"{url}/milestones/1/requirements", "buyer")
    assert answer.status_code == 409
    assert "register" in answer.json()["hint"]


def send(world: World, source: str = "carrier", **changed: Any) -> Any:
    event = {"event": "delivered", "agreement": world.id, "milestone": "walls"}
    body = json.dumps(event | changed.pop("fields", {})).encode()
    delivery, at = changed.pop("delivery", "d-1"), changed.pop("at", NOW)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": delivery,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secret_bytes(changed.pop("secret", SECRET)), delivery, at, body),
    } | changed
    return world.client.post(f"/v1/hooks/{source}", content=body, headers=headers)


def test_a_signed_event_is_taken_in_once(world: World, woken: list[bool]) -> None:
    first, second = send(world), send(world)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == {
        "source": "carrier",
        "event": "delivered",
        "agreement_id": world.id,
        "milestone": 2,
        "is_new": True,
    }
    assert second.json()["is_new"] is False
    assert woken == [True]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"secret": "another secret of theirs"}, 401),
        ({"at": NOW - 301}, 401),
        ({"at": NOW + 301}, 401),
        ({"webhook-signature": ""}, 401),
        ({"webhook-id": ""}, 401),
        ({"source": "nobody"}, 404),
        ({"source": "NOBODY"}, 422),
        ({"fields": {"agreement": "0x" + "00" * 32}}, 404),
        ({"fields": {"milestone": "roof"}}, 404),
        ({"fields": {"event": ""}}, 400),
        ({"fields": {"note": "x" * 70_000}}, 413),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_an_event_that_does_not_hold_is_refused(
    world: World, woken: list[bool], changed: dict[str, Any], status: int
) -> None:
    answer = send(world, **changed)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert woken == []


def test_a_delivery_cannot_change_what_it_said(world: World) -> None:
    assert send(world).status_code == 200
    assert send(world, fields={"event": "lost"}).status_code == 409
