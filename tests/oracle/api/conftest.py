"""The interface over a SQLite store with one agreement in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from milestone_escrow.oracle.store.store import Store
from tests.oracle.api.world import DOMAIN, World, build


@pytest.fixture
def make(open_store: Callable[..., Store]) -> Iterator[Callable[..., World]]:
    """A service whose settings or rooms are otherwise than usual."""
    clients: list[TestClient] = []

    def made(**changed: object) -> World:
        world = build(open_store(domain=DOMAIN), **changed)
        clients.append(world.client)
        return world

    yield made
    for client in clients:
        client.close()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()
