"""A house in a store, and a folder for its evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.store.store import Store
from tests.oracle.policies.world import House, build


@pytest.fixture
def house(store: Store) -> House:
    return build(store)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "evidence")
