"""A store that has seen one funded agreement."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from milestone_escrow.oracle.store.store import Store
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import Deal, make_deal, put, set_head


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, so that a test only has to copy it."""
    path = tmp_path_factory.mktemp("signing") / "empty.db"
    Store.open(path, DOMAIN).close()
    return path


@pytest.fixture
def store(tmp_path: Path, empty_database: Path, open_store: Callable[..., Store]) -> Store:
    shutil.copy(empty_database, tmp_path / "oracle.db")
    return open_store()


@pytest.fixture
def deal(store: Store) -> Deal:
    found = make_deal()
    put(store, found)
    set_head(store)
    return found
