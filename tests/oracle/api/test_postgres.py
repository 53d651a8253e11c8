"""The same answers out of PostgreSQL: every kind of question is asked of both databases once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.oracle.api import changes
from milestone_escrow.oracle.api.changes import StreamPlace
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.store.store import Store
from tests.oracle.api.test_attestations import attestation, signed
from tests.oracle.api.test_evidence import PDF, hand_in
from tests.oracle.api.world import (
    DOMAIN,
    NOW,
    WALLS,
    World,
    agreement,
    build,
    open_on_chain,
    register,
    seed,
    signer,
)


def told(store: Store, folder: Path) -> list[Any]:
    """A day in the life of the interface, as its answers."""
    seed(store)
    world = build(store, blobs=Folder(folder))
    found = [*acts(world), *questions(world)]
    with store.reading() as connection:
        found.append(list(changes.since(connection, StreamPlace(), NOW)))
    world.client.close()
    return found


def acts(world: World) -> list[Any]:
    register(world.store, agreement("SHED-8"))
    with world.store.transaction() as connection:
        open_on_chain(connection, agreement("SHED-9"), block=11)
    given = attestation(world, WALLS)
    posted = [
        world.client.post(
            f"{world.url}/milestones/{WALLS}/attestations",
            json=signed(given, role),
            headers={"Idempotency-Key": role},
        )
        for role in ("surveyor", "carpenter", "surveyor")
    ]
    return [
        *(answer.json() for answer in posted),
        hand_in(world, "supplier", "photos.pdf", PDF).json(),
        world.login("buyer")["account"],
        world.post(f"{world.url}/links", "buyer", json={}).status_code,
    ]


def questions(world: World) -> list[Any]:
    buyer = signer("buyer").address
    lists: list[dict[str, str]] = [
        {},
        {"party": buyer, "status": "submitted", "limit": "1"},
        {"search": world.id[:11]},
        {"search": "shed-7"},
        {"search": "SHED"},
        {"status": "not_open"},
        {"status": "not_open", "search": "ED-8", "party": signer("arbiter").address},
    ]
    paths = [
        world.url,
        f"{world.url}/milestones/{WALLS}",
        f"{world.url}/milestones/1/requirements",
        f"{world.url}/milestones/1/evidence",
        f"{world.url}/milestones/{WALLS}/attestations",
        f"{world.url}/history",
        "/readyz",
    ]
    answers: list[Any] = [world.get(path, "buyer") for path in paths]
    for query in lists:
        first = world.get("/v1/agreements", "buyer", **query)
        answers.append(first)
        if cursor := first.json()["next"]:
            answers.append(world.get("/v1/agreements", "buyer", **query, cursor=cursor))
    assert all(answer.status_code == 200 for answer in answers)
    figures = world.get("/metrics").text.splitlines()
    counts = [line for line in figures if line.startswith("escrow_") and "http" not in line]
    return [*(answer.json() for answer in answers), sorted(counts)]


def test_both_databases_give_the_same_answers(
    open_store: Callable[..., Store], postgres: str, tmp_path: Path
) -> None:
    small = told(open_store(tmp_path / "a.db", DOMAIN), tmp_path / "a")
    large = told(open_store(postgres, DOMAIN), tmp_path / "b")
    assert len(small) > 20
    for one, other in zip(small, large, strict=True):
        assert one == other


@pytest.mark.parametrize("word", ["none", "%%", "__", "\\\\"])
def test_a_search_has_no_signs_of_its_own_on_either(
    open_store: Callable[..., Store], postgres: str, tmp_path: Path, word: str
) -> None:
    for where in (tmp_path / "a.db", postgres):
        store = open_store(where, DOMAIN)
        seed(store)
        world = build(store)
        for role in ("buyer", "stranger", "anonymous"):
            assert world.get("/v1/agreements", role, search=word).json()["items"] == []
