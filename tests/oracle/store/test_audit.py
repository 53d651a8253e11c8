"""The audit log shows what was changed in it."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import delete, update

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store


def _write(store: Store, count: int) -> None:
    for number in range(count):
        with store.transaction() as connection:
            audit_log.record(
                connection, 100 + number, "operator", "register", "0xab", name="Größe", units=2**200
            )


def test_an_untouched_log_verifies(any_store: Store) -> None:
    _write(any_store, 3)
    with any_store.reading() as connection:
        last = audit_log.verify(connection)
        assert last is not None
        assert (last.seq, last.data["units"]) == (3, 2**200)
        assert [entry.seq for entry in audit_log.entries(connection, since=1)] == [2, 3]


def test_an_empty_log_verifies(store: Store) -> None:
    with store.reading() as connection:
        assert audit_log.verify(connection) is None


@pytest.mark.parametrize("column", ["at", "actor", "action", "subject", "data", "previous"])
def test_a_changed_entry_is_found(store: Store, column: str) -> None:
    _write(store, 3)
    changed = {"at": 7, "data": {"x": 1}, "previous": b"\1" * 32}.get(column, "other")
    with store.transaction() as connection:
        connection.execute(update(t.audit).where(t.audit.c.seq == 2).values({column: changed}))
    with store.reading() as connection, pytest.raises(StoreError, match="entry 2"):
        audit_log.verify(connection)


def test_a_removed_entry_is_found(store: Store) -> None:
    _write(store, 3)
    with store.transaction() as connection:
        connection.execute(delete(t.audit).where(t.audit.c.seq == 2))
    with store.reading() as connection, pytest.raises(StoreError, match="no entry 2"):
        audit_log.verify(connection)


def test_an_entry_rewritten_with_its_hash_breaks_the_next(store: Store) -> None:
    _write(store, 3)
    with store.transaction() as connection:
        entry = next(audit_log.entries(connection, since=1))
        forged = audit_log._digest(2, 1, "x", "y", "z", {}, entry.previous)
        connection.execute(
            update(t.audit)
            .where(t.audit.c.seq == 2)
            .values(at=1, actor="x", action="y", subject="z", data={}, hash=forged)
        )
    with store.reading() as connection, pytest.raises(StoreError, match="entry 3"):
        audit_log.verify(connection)


def test_writers_form_one_chain(any_store: Store) -> None:
    threads = [threading.Thread(target=_write, args=(any_store, 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_store.reading() as connection:
        last = audit_log.verify(connection)
    assert last is not None
    assert last.seq == 40


def test_many_at_once_stand_in_their_order(any_store: Store) -> None:
    _write(any_store, 1)
    acts = [audit_log.Act("operator", f"act.{n}", "0xab", {"n": n}) for n in range(3)]
    with any_store.transaction() as connection:
        end = audit_log.record_all(connection, 200, acts)
    with any_store.reading() as connection:
        last = audit_log.verify(connection)
        assert last is not None
        assert last.hash == end
        assert [entry.action for entry in audit_log.entries(connection)][1:] == [
            "act.0",
            "act.1",
            "act.2",
        ]
