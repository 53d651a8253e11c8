"""Every private route against everybody who should not reach it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.oracle.evidence.blobs import Folder
from tests.oracle.api.test_evidence import PDF, hand_in
from tests.oracle.api.world import (
    FOUNDATION,
    OPERATOR,
    World,
    agreement,
    open_on_chain,
    register,
    signer,
)

LINK_ID = "0" * 64

# Method, path below the agreement, body; what strangers and anonymous callers are told.
PRIVATE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "list evidence": ("GET", "/milestones/1/evidence", {}),
    "hand in a file": ("POST", "/milestones/1/evidence", {"files": {"file": ("a.pdf", PDF)}}),
    "hand in a hash": (
        "POST",
        "/milestones/1/evidence",
        {"json": {"name": "a.pdf", "sha256": "11" * 32, "size": 5}},
    ),
    "take evidence back": ("DELETE", "/milestones/1/evidence/photos.pdf", {}),
    "requirements": ("GET", "/milestones/1/requirements", {}),
    "calendar": ("GET", "/calendar.ics", {}),
    "list links": ("GET", "/links", {}),
    "make a link": ("POST", "/links", {"json": {}}),
    "revoke a link": ("DELETE", f"/links/{LINK_ID}", {}),
}
WRITES = ["hand in a file", "hand in a hash", "take evidence back"]
PARTIES_ONLY = ["list links", "make a link", "revoke a link"]


@pytest.fixture
def world(make: Callable[..., World], tmp_path: Path) -> World:
    """Two agreements: everybody's, and one of which the stranger is the supplier."""
    world = make(blobs=Folder(tmp_path / "evidence"))
    hand_in(world, "supplier", "photos.pdf", PDF)
    return world


def ask(world: World, what: str, headers: dict[str, str], query: str = "") -> Any:
    method, path, more = PRIVATE[what]
    return world.client.request(method, world.url + path + query, headers=headers, **more)


@pytest.mark.parametrize("what", PRIVATE)
def test_anonymous_callers_are_asked_to_sign_in(world: World, what: str) -> None:
    answer = ask(world, what, {})
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("what", PRIVATE)
def test_strangers_are_refused(world: World, what: str) -> None:
    assert ask(world, what, world.as_("stranger")).status_code == 403


@pytest.mark.parametrize("what", PRIVATE)
def test_a_party_of_another_agreement_is_a_stranger_here(world: World, what: str) -> None:
    """Knowing an id, and being somebody in another agreement, opens nothing in this one."""
    other = agreement("SHED-77", **{signer("carpenter").address: signer("stranger").address})
    with world.store.transaction() as connection:
        open_on_chain(connection, other, block=77)
    register(world.store, other)
    theirs = world.get(f"/v1/agreements/0x{other.id.hex()}", "stranger").json()
    assert theirs["your_role"] == "carpenter"
    assert ask(world, what, world.as_("stranger")).status_code == 403


@pytest.mark.parametrize("what", PRIVATE)
def test_a_link_reads_and_does_nothing_else(world: World, what: str) -> None:
    token = world.post(f"{world.url}/links", "buyer", json={}).json()["token"]
    expected = 401 if what in WRITES + PARTIES_ONLY else 200
    for headers, query in (({"Authorization": f"Bearer {token}"}, ""), ({}, f"?link={token}")):
        assert ask(world, what, headers, query).status_code == expected


@pytest.mark.parametrize("what", PRIVATE)
def test_a_link_to_another_agreement_opens_nothing_here(world: World, what: str) -> None:
    other = agreement("SHED-77")
    with world.store.transaction() as connection:
        open_on_chain(connection, other, block=77)
    register(world.store, other)
    url = f"/v1/agreements/0x{other.id.hex()}"
    token = world.post(f"{url}/links", "buyer", json={}).json()["token"]
    assert ask(world, what, {}, f"?link={token}").status_code in (401, 403)
    assert world.client.get(world.url, params={"link": token}).json()["document"] is None


@pytest.mark.parametrize("role", ["surveyor", "carpenter", "arbiter"])
@pytest.mark.parametrize("what", PARTIES_ONLY)
def test_only_buyer_and_supplier_handle_links(world: World, what: str, role: str) -> None:
    assert ask(world, what, world.as_(role)).status_code == 403


def test_nobody_takes_back_what_another_handed_in(world: World) -> None:
    for role in ("buyer", "surveyor", "arbiter"):
        assert ask(world, "take evidence back", world.as_(role)).status_code == 403
    assert ask(world, "take evidence back", world.as_("supplier")).status_code == 204


@pytest.mark.parametrize("what", ["list evidence", "requirements", "calendar"])
def test_the_operator_reads(world: World, what: str) -> None:
    answer = ask(world, what, {"Authorization": f"Bearer {OPERATOR}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("what", WRITES + PARTIES_ONLY)
def test_the_operator_does_not_act_for_the_parties(world: World, what: str) -> None:
    answer = ask(world, what, {"Authorization": f"Bearer {OPERATOR}"})
    assert answer.status_code in (401, 403)


def test_a_download_is_for_readers_of_an_agreement_that_it_belongs_to(world: World) -> None:
    (item,) = world.get(f"{world.url}/milestones/{FOUNDATION}/evidence", "buyer").json()["items"]
    path = item["download"]
    assert world.get(path, "arbiter").status_code == 200
    assert world.get(path, "anonymous").status_code == 401
    stranger = world.get(path, "stranger")
    nowhere = world.get("/v1/evidence/" + "00" * 32, "stranger")
    assert stranger.status_code == nowhere.status_code == 404
    assert stranger.json() == nowhere.json()
