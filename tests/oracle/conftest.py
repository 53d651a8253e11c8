"""Stores to test on: SQLite in a folder, and a private PostgreSQL started for the session."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milestone_escrow.oracle.store import aside, failpoints
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from tests.oracle.support.postgres import PrivatePostgres

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivatePostgres]:
    # Not below pytest's own folder, which every new run closes to others than its user.
    folder = tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True)
    with folder as name, PrivatePostgres(Path(name)) as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PrivatePostgres) -> str:
    """The address of an empty PostgreSQL database."""
    return postgres_server.database(f"t{uuid.uuid4().hex}")


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens a store, by default SQLite in a folder of the test; closed afterwards."""
    opened: list[Store] = []

    def opens(where: str | Path = tmp_path / "oracle.db", domain: Domain = DOMAIN) -> Store:
        opened.append(Store.open(where, domain))
        return opened[-1]

    yield opens
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    """An empty SQLite store."""
    return open_store()


@pytest.fixture(params=["sqlite", "postgres"])
def any_store(request: pytest.FixtureRequest, open_store: Callable[..., Store]) -> Store:
    """An empty store of each kind."""
    if request.param == "postgres":
        return open_store(request.getfixturevalue("postgres"))
    return open_store()


@pytest.fixture(autouse=True)
def _nothing_set_aside() -> None:
    aside.forget()


@pytest.fixture(autouse=True)
def _no_step_hook() -> Iterator[None]:
    yield
    failpoints.set_hook(None)
