"""Work is shared by leases that expire."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.leases import claim, hold, let_go, release
from milestone_escrow.oracle.store.store import Store


def test_one_instance_holds_a_lease_until_it_expires(any_store: Store) -> None:
    with any_store.transaction() as connection:
        assert hold(connection, "indexer", "a", 100, 30)
        assert not hold(connection, "indexer", "b", 129, 30)
        assert hold(connection, "indexer", "a", 110, 30)
        assert not hold(connection, "indexer", "b", 139, 30)
        assert hold(connection, "indexer", "b", 140, 30)
        assert not hold(connection, "indexer", "a", 141, 30)


def test_a_lease_given_back_is_free(any_store: Store) -> None:
    with any_store.transaction() as connection:
        hold(connection, "indexer", "a", 100, 30)
        release(connection, "indexer", "b")
        assert not hold(connection, "indexer", "b", 101, 30)
        release(connection, "indexer", "a")
        assert hold(connection, "indexer", "b", 101, 30)


def _enqueue(store: Store, keys: list[str]) -> None:
    with store.transaction() as connection:
        for key in keys:
            connection.execute(
                insert(t.intents).values(
                    key=key, verb="finalize", to="0x", data=b"", state="pending",
                    created_at=0, changed_at=0,
                )
            )  # fmt: skip


def _claim(store: Store, owner: str, now: int, limit: int = 100) -> list[str]:
    with store.transaction() as connection:
        rows = claim(
            connection, t.intents, t.intents.c.state == "pending",
            owner=owner, now=now, seconds=60, limit=limit,
        )  # fmt: skip
        return [row.key for row in rows]


def test_claimed_rows_are_nobody_elses(any_store: Store) -> None:
    _enqueue(any_store, ["a", "b", "c"])
    assert _claim(any_store, "one", 0, limit=2) == ["a", "b"]
    assert _claim(any_store, "two", 0) == ["c"]
    assert _claim(any_store, "two", 59) == ["c"]


def test_the_living_take_over_from_the_dead(any_store: Store) -> None:
    _enqueue(any_store, ["a"])
    assert _claim(any_store, "one", 0) == ["a"]
    assert _claim(any_store, "two", 60) == ["a"]
    assert _claim(any_store, "one", 61) == []


def test_rows_given_back_are_free_at_once(any_store: Store) -> None:
    _enqueue(any_store, ["a"])
    _claim(any_store, "one", 0)
    with any_store.transaction() as connection:
        ids: list[Any] = list(connection.execute(select(t.intents.c.id)).scalars())
        let_go(connection, t.intents, ids)
    assert _claim(any_store, "two", 0) == ["a"]


def test_rows_being_claimed_are_passed_over(open_store: Any, postgres: str) -> None:
    first, second = open_store(postgres), open_store(postgres)
    _enqueue(first, ["a", "b"])
    due = t.intents.c.state == "pending"
    with first.transaction() as one:
        got = claim(one, t.intents, due, owner="one", now=0, seconds=60, limit=1)
        assert [row.key for row in got] == ["a"]
        assert _claim(second, "two", 0) == ["b"]
