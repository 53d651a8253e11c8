"""The interface over a SQLite store with one agreement in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from milestone_escrow.oracle.store.store import Store
from tests.oracle.api.world import DOMAIN, World, build, seed


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded store, made once and copied for each test."""
    path = tmp_path_factory.mktemp("template") / "oracle.db"
    store = Store.open(path, DOMAIN)
    seed(store)
    store.close()
    return path


@pytest.fixture
def make(
    open_store: Callable[..., Store], template: Path, tmp_path: Path
) -> Iterator[Callable[..., World]]:
    """A service whose settings or rooms are otherwise than usual."""
    clients: list[TestClient] = []

    def made(**changed: object) -> World:
        path = tmp_path / f"{len(clients)}.db"
        shutil.copy(template, path)
        world = build(open_store(path, DOMAIN), **changed)
        clients.append(world.client)
        return world

    yield made
    for client in clients:
        client.close()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()
