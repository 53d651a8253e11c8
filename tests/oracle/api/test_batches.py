"""Batches of attestations: posted, reviewed by who signs next, and sent by anybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.oracle.relaying.calls import batch_call
from milestone_escrow.oracle.signing.batch_json import MAX_ITEMS, BatchItem, BatchPost, batch_data
from milestone_escrow.protocol.acts import Attestation, Verdict, batch_typed_data
from milestone_escrow.protocol.batch import Batch
from tests.oracle.api.test_attestations import attestation, signed
from tests.oracle.api.test_attestations import post as post_single
from tests.oracle.api.world import DOMAIN, FOUNDATION, NOW, WALLS, World, agreement, signer
from tests.oracle.api.world import open_on_chain as opened

WORDS: dict[str, object] = {"format": "1", "files": [], "reason": "The walls lean"}


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    """With another deal of the same people."""
    return beside(make())


def beside(world: World) -> World:
    with world.store.transaction() as connection:
        opened(connection, agreement("SHED-8"), block=11)
    return world


def both(world: World, milestone: int = WALLS) -> tuple[Attestation, ...]:
    """One of the deal, rejected with a reason, and one of the other."""
    rejected = attestation(
        world,
        milestone,
        verdict=Verdict.REJECTED,
        amount=0,
        evidence_hash=words_hash(WORDS),
    )
    accepted = attestation(world, milestone, agreement_id=agreement("SHED-8").id)
    return tuple(sorted((rejected, accepted), key=lambda one: one.agreement_id))


def batch(items: tuple[Attestation, ...], *roles: str) -> Any:
    data = batch_typed_data(DOMAIN, items)
    signatures = {signer(role).address: signer(role).sign_typed_data(data) for role in roles}
    words = {words_hash(WORDS): WORDS}
    listed = tuple(BatchItem(one, words.get(one.evidence_hash, {})) for one in items)
    return batch_data(BatchPost(listed, signatures))


def post(world: World, body: Any, **headers: str) -> Any:
    return world.client.post("/v1/batches", json=body, headers=headers)


def test_signatures_of_many_posts_add_up_to_calldata_for_anybody(
    make: Callable[..., World],
) -> None:
    woken: list[bool] = []
    world = beside(make(wake=lambda: woken.append(True)))
    items = both(world)
    first = post(world, batch(items, "surveyor"))
    assert first.status_code == 201, first.text
    place = first.headers["location"]
    assert place == f"/v1/batches/{first.json()['digest']}"
    assert first.json()["waiting_for"] == [signer("carpenter").address]
    assert world.get(place).json()["calldata"] is None
    second = post(world, batch(items, "carpenter")).json()
    assert (second["state"], second["is_complete"], second["quorum"]) == ("complete", True, 2)
    body = world.get(place).json()
    assert [item["state"] for item in body["items"]] == ["complete", "complete"]
    deals = {world.deal.id: world.deal.bound, agreement("SHED-8").id: agreement("SHED-8").bound}
    whole = Batch(tuple((deals[one.agreement_id], one) for one in items))
    data = batch_typed_data(DOMAIN, items)
    by = {signer(r).address: signer(r).sign_typed_data(data) for r in ("surveyor", "carpenter")}
    assert body["calldata"]["data"] == "0x" + batch_call(whole, data.digest(), by).hex()
    assert woken == [True, True]


def test_the_same_again_is_known(world: World) -> None:
    body = batch(both(world), "surveyor")
    assert post(world, body, **{"Idempotency-Key": "one"}).status_code == 201
    assert post(world, body, **{"Idempotency-Key": "one"}).status_code == 201
    again = post(world, body)
    assert (again.status_code, again.json()["added"]) == (200, [])


def test_a_reason_is_told_to_its_agreements_people_only(world: World) -> None:
    place = post(world, batch(both(world), "surveyor")).headers["location"]
    for role, told in {"surveyor": WORDS, "anonymous": None, "stranger": None}.items():
        items = world.get(place, role).json()["items"]
        (rejected,) = [item for item in items if item["attestation"]["verdict"] == "rejected"]
        assert rejected["words"] == told
    names = [one["name"] for one in world.get(place).json()["signers"]]
    assert names == [None]


def test_a_milestones_attestations_say_which_batch_holds_them(world: World) -> None:
    items = both(world)
    digest = post(world, batch(items, "surveyor")).json()["digest"]
    path = f"{world.url}/milestones/{WALLS}/attestations"
    (item,) = world.get(path).json()["items"]
    assert (item["batches"], item["state"], item["missing"]) == ([digest], "open", 2)
    assert [one["account"] for one in item["signers"]] == [signer("surveyor").address]
    post(world, batch(items, "carpenter"))
    (item,) = world.get(path).json()["items"]
    assert (item["state"], item["missing"], item["calldata"]) == ("complete", 0, None)
    early = world.get(f"{path}/{item['digest']}/calldata")
    assert early.status_code == 409


def test_a_quorum_is_not_made_of_both_kinds_of_signatures(world: World) -> None:
    accepted = attestation(world, WALLS)
    post_single(world, signed(accepted, "surveyor"), WALLS)
    answer = post(world, batch((accepted,), "carpenter")).json()
    assert (answer["state"], answer["signers"]) == ("open", [signer("carpenter").address])


REFUSED: dict[str, tuple[Callable[[World], Any], int, str, str]] = {
    "another's signature": (
        lambda w: {
            **batch(both(w), "surveyor"),
            "signatures": {signer("surveyor").address: "0x" + "11" * 65},
        },
        422,
        "invalid-signature",
        "for this batch",
    ),
    "a stranger": (lambda w: batch(both(w), "stranger"), 403, "signer-not-allowed", "verify"),
    "a verifier of others": (
        lambda w: batch(both(w, FOUNDATION), "carpenter"),
        403,
        "signer-not-allowed",
        "verify",
    ),
    "too late": (
        lambda w: batch((attestation(w, valid_until=NOW - 1),), "surveyor"),
        409,
        "signature-expired",
        "item 1 (milestone 2 of 0x",
    ),
    "the wrong order": (
        lambda w: batch(both(w)[::-1], "surveyor"),
        422,
        "not-one-batch",
        "order them by agreement",
    ),
    "several batches": (
        lambda w: batch((attestation(w), attestation(w, WALLS)), "surveyor"),
        422,
        "not-one-batch",
        "make 2 batches",
    ),
    "other words": (
        lambda w: {
            **batch((attestation(w),), "surveyor"),
            "items": [
                {
                    **batch((attestation(w),), "surveyor")["items"][0],
                    "words": {"format": "1", "files": [], "reason": "x"},
                }
            ],
        },
        422,
        "words-do-not-fit",
        "item 1",
    ),
    "an unknown agreement": (
        lambda w: batch((attestation(w, agreement_id=b"\2" * 32),), "surveyor"),
        404,
        "no-such-milestone",
        "item 1",
    ),
    "too many": (
        lambda w: {
            **batch((attestation(w),), "surveyor"),
            "items": batch((attestation(w),))["items"] * (MAX_ITEMS + 1),
        },
        422,
        "invalid",
        "allowed are 50",
    ),
    "nothing": (lambda w: {**batch(both(w), "surveyor"), "items": []}, 422, "invalid", ""),
    "no signature": (lambda w: batch(both(w)), 422, "invalid", ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_hold_is_refused_with_its_reason(world: World, what: str) -> None:
    body, status, kind, says = REFUSED[what]
    answer = post(world, body(world))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(kind)
    assert says in answer.json()["detail"]
    for milestone in (FOUNDATION, WALLS):
        path = f"{world.url}/milestones/{milestone}/attestations"
        assert world.get(path).json()["items"] == []


def test_an_unknown_batch_is_not_found(world: World) -> None:
    assert world.get("/v1/batches/0x" + "22" * 32).status_code == 404
    assert world.get("/v1/batches/0x22").status_code == 422
