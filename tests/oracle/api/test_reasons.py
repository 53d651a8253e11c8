"""Reasons of disputes and rulings: on chain by their hash, here as texts for the people."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from milestone_escrow.chain.contract.events import MilestoneDisputed, MilestoneRuled, Place
from milestone_escrow.documents.files.signed_act import reason_hash
from milestone_escrow.oracle.store import audit_log
from tests.oracle.api.world import NOW, WALLS, World, happened, signer

LEAKS, SPLIT = "The roof leaks", "Half of it does"


@pytest.fixture
def disputed(world: World) -> World:
    """The buyer objected to the walls, and the arbiter ruled."""
    places = [Place(11, NOW - 500 + step, "0x" + "11" * 32, step) for step in range(2)]
    buyer, deal = signer("buyer").address, world.deal.id
    with world.store.transaction() as connection:
        happened(
            connection,
            MilestoneDisputed(places[0], deal, WALLS, buyer, reason_hash(LEAKS), NOW + 9_000),
            MilestoneRuled(places[1], deal, WALLS, 1, 1, reason_hash(SPLIT)),
        )
    return world


def place(world: World, milestone: int = WALLS) -> str:
    return f"{world.url}/milestones/{milestone}/reasons"


def hand_in(world: World, reason: str, role: str = "buyer", milestone: int = WALLS) -> Any:
    return world.post(place(world, milestone), role, json={"reason": reason})


def told(world: World, role: str = "arbiter") -> list[tuple[str, str | None]]:
    items = world.get(place(world), role).json()["items"]
    return [(item["act"], item["reason"]) for item in items]


def test_the_text_behind_a_hash_is_told_once_it_is_handed_in(disputed: World) -> None:
    assert told(disputed) == [("dispute", None), ("ruling", None)]
    assert hand_in(disputed, LEAKS).status_code == 201
    # Whoever of them knows it may tell it: the hash says that it is right.
    assert hand_in(disputed, SPLIT, "supplier").status_code == 201
    assert told(disputed) == [("dispute", LEAKS), ("ruling", SPLIT)]
    first = disputed.get(place(disputed), "arbiter").json()["items"][0]
    assert first["reason_hash"] == "0x" + hashlib.sha256(LEAKS.encode()).hexdigest()


def test_the_same_again_changes_nothing(disputed: World) -> None:
    assert [hand_in(disputed, LEAKS).status_code for _ in range(2)] == [201, 200]
    with disputed.store.reading() as connection:
        actions = [entry.action for entry in audit_log.entries(connection)]
    assert actions.count("reason.added") == 1


@pytest.mark.parametrize(
    ("reason", "milestone"), [(LEAKS + ".", WALLS), (LEAKS, WALLS - 1), (SPLIT.lower(), WALLS)]
)
def test_another_text_than_the_one_that_was_hashed_is_refused(
    disputed: World, reason: str, milestone: int
) -> None:
    answer = hand_in(disputed, reason, milestone=milestone)
    assert answer.status_code == 404
    assert "that was made for this reason" in answer.json()["detail"]
    assert told(disputed) == [("dispute", None), ("ruling", None)]


def test_reasons_are_for_the_agreements_people(disputed: World) -> None:
    for role, status in (("stranger", 403), ("anonymous", 401)):
        assert hand_in(disputed, LEAKS, role).status_code == status
        assert disputed.get(place(disputed), role).status_code == status
