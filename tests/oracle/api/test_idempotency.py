"""A request that is repeated happens once, whoever repeats it, and whenever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from milestone_escrow.oracle.api.idempotency import Answer, fingerprint, once
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from tests.oracle.api.test_attestations import attestation, post, signed
from tests.oracle.api.test_evidence import PDF, hand_in
from tests.oracle.api.world import NOW, World, agreement

ASKED = fingerprint("POST", "/x", 1)


def entries(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(t.audit)).scalar_one()


def test_the_answer_of_before_is_given_again(world: World) -> None:
    body = agreement("SHED-8").to_json()
    headers = {"Idempotency-Key": "k1"}
    first = world.post("/v1/agreements", "buyer", json=body, headers=headers)
    second = world.post("/v1/agreements", "buyer", json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


def test_a_key_is_for_one_request_only(world: World) -> None:
    headers = {"Idempotency-Key": "k1"}
    one, other = agreement("SHED-8").to_json(), agreement("SHED-9").to_json()
    assert world.post("/v1/agreements", "buyer", json=one, headers=headers).status_code == 201
    answer = world.post("/v1/agreements", "buyer", json=other, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("key-reused")


def test_another_account_has_keys_of_its_own(world: World) -> None:
    headers = {"Idempotency-Key": "k1"}
    one, other = agreement("SHED-8").to_json(), agreement("SHED-9").to_json()
    assert world.post("/v1/agreements", "buyer", json=one, headers=headers).status_code == 201
    answer = world.post("/v1/agreements", "supplier", json=other, headers=headers)
    assert answer.status_code == 201


def test_an_upload_is_repeated_with_another_boundary(
    make: Callable[..., World], tmp_path: Path
) -> None:
    world = make(blobs=Folder(tmp_path / "evidence"))
    headers = {"Idempotency-Key": "k1"}
    answers = [hand_in(world, "supplier", "photos.pdf", PDF, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    other = hand_in(world, "supplier", "photos.pdf", PDF + b"!", headers=headers)
    assert other.status_code == 422


def test_a_posted_attestation_is_answered_alike(world: World) -> None:
    body = signed(attestation(world), "surveyor")
    answers = [post(world, body, **{"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 201])
def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    body = agreement("SHED-8").to_json()
    headers = [*world.as_("buyer").items(), ("Idempotency-Key", key.encode())]
    answer = world.client.post("/v1/agreements", json=body, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 422


def count(connection: Connection) -> Answer:
    """Work that leaves a trace each time it is done."""
    audit_log.record(connection, NOW, "test", "work.done", "x")
    return Answer(201, "{}")


def test_requests_that_race_happen_once(any_store: Store) -> None:
    """On SQLite and PostgreSQL: the second waits for the first, and finds its answer."""
    ready = threading.Barrier(8)

    def ask(_: int) -> Answer:
        ready.wait(30)
        return once(any_store, "k", "anna", ASKED, NOW, count)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert entries(any_store) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
    assert {(answer.status, answer.body) for answer in answers} == {(201, "{}")}


def test_different_requests_that_race_for_a_key_are_told_apart(any_store: Store) -> None:
    ready = threading.Barrier(4)

    def ask(number: int) -> bool:
        ready.wait(30)
        try:
            once(any_store, "k", "anna", fingerprint("POST", number), NOW, count)
        except Problem as problem:
            return problem.kind != "key-reused"
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, range(4))) == [False, False, False, True]
    assert entries(any_store) == 1


def test_a_refused_request_leaves_its_key_free(store: Store) -> None:
    def refuse(connection: Connection) -> Answer:
        count(connection)
        raise Problem(409, "not now")

    with pytest.raises(Problem):
        once(store, "k", "anna", ASKED, NOW, refuse)
    assert entries(store) == 0
    assert not once(store, "k", "anna", ASKED, NOW, count).replayed


def test_keys_are_forgotten_after_a_day(store: Store) -> None:
    assert not once(store, "k", "anna", ASKED, NOW, count).replayed
    assert once(store, "k", "anna", ASKED, NOW + 86_400, count).replayed
    assert not once(store, "k", "anna", ASKED, NOW + 86_401, count).replayed


def test_without_a_key_each_request_happens(store: Store) -> None:
    for _ in range(2):
        once(store, None, "anna", ASKED, NOW, count)
    assert entries(store) == 2
