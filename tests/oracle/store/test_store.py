"""One schema in two databases, bound to one contract."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, describe, insert_new, upsert
from milestone_escrow.protocol.eip712 import Domain
from tests.oracle.conftest import DOMAIN

OTHER = Domain(1, DOMAIN.verifying_contract)


def test_migrations_lead_to_the_schema_of_the_tables(any_store: Store) -> None:
    with any_store.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, t.metadata) == []


def test_opening_again_changes_nothing(tmp_path: Path, open_store: Callable[..., Store]) -> None:
    first = open_store()
    with first.transaction() as connection:
        connection.execute(insert(t.nonces).values(sender="0x" + "1" * 40, next=7))
    with open_store().reading() as connection:
        assert connection.execute(select(t.nonces.c.next)).scalar_one() == 7


def test_refuses_the_store_of_another_contract(
    tmp_path: Path, open_store: Callable[..., Store]
) -> None:
    open_store()
    with pytest.raises(StoreError, match=r"on chain 31337, not to .* on chain 1; give each"):
        open_store(domain=OTHER)


def test_knows_the_contract_it_belongs_to(any_store: Store) -> None:
    assert any_store.domain == DOMAIN


def test_refuses_a_store_of_a_newer_version(
    tmp_path: Path, open_store: Callable[..., Store]
) -> None:
    store = open_store()
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        open_store()


def test_keeps_the_file_from_other_users(tmp_path: Path, open_store: Callable[..., Store]) -> None:
    open_store(tmp_path / "home" / "oracle.db")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    for file in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_syncs_fully(store: Store) -> None:
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


@pytest.mark.parametrize(
    "where", ["mysql://host/db", "nonsense://", "sqlite://", "postgresql://nobody@127.0.0.1:1/x"]
)
def test_names_what_it_cannot_use(where: str) -> None:
    with pytest.raises(StoreError):
        Store.open(where, DOMAIN)


def test_never_shows_a_password() -> None:
    assert "secret" not in describe("postgresql://me:secret@host/db")
    with pytest.raises(StoreError) as refused:
        Store.open("postgresql://me:secret@127.0.0.1:1/x", DOMAIN)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("units", [0, 1, 2**63, 2**256 - 1])
def test_amounts_of_any_size_come_back(any_store: Store, units: int) -> None:
    row = {
        "agreement_id": bytes(32),
        "milestone": 0,
        "amount": units,
        "deadline": 0,
        "status": 0,
        "assignee": "0x",
        "clock": 0,
        "issued_at": 0,
        "epoch": 0,
        "handover": 0,
        "pending": 0,
        "paid": 0,
        "next_at": None,
        "changed_block": 0,
        "changed_at": 0,
    }
    with any_store.transaction() as connection:
        connection.execute(insert(t.milestones).values(row))
        assert connection.execute(select(t.milestones.c.amount)).scalar_one() == units


def test_a_failed_transaction_leaves_nothing(any_store: Store) -> None:
    row = insert(t.nonces).values(sender="x", next=1)
    with pytest.raises(IntegrityError), any_store.transaction() as connection:  # noqa: PT012
        connection.execute(row)
        connection.execute(row)
    with any_store.reading() as connection:
        assert connection.execute(select(t.nonces)).all() == []


def test_writers_take_turns(any_store: Store) -> None:
    with any_store.transaction() as connection:
        connection.execute(insert(t.nonces).values(sender="x", next=0))

    def count() -> None:
        for _ in range(20):
            with any_store.transaction() as connection:
                row = select(t.nonces.c.next).with_for_update()
                now = connection.execute(row).scalar_one()
                connection.execute(update(t.nonces).values(next=now + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_store.reading() as connection:
        assert connection.execute(select(t.nonces.c.next)).scalar_one() == 80


def test_upsert_replaces_and_insert_new_keeps(any_store: Store) -> None:
    with any_store.transaction() as connection:
        upsert(connection, t.nonces, {"sender": "x", "next": 1}, "sender")
        upsert(connection, t.nonces, {"sender": "x", "next": 2}, "sender")
        assert not insert_new(connection, t.nonces, {"sender": "x", "next": 3}, "sender")
        assert insert_new(connection, t.nonces, {"sender": "y", "next": 3}, "sender")
        rows = connection.execute(select(t.nonces).order_by(t.nonces.c.sender)).all()
    assert rows == [("x", 2), ("y", 3)]
