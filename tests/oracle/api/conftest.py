"""The interface over a SQLite store with one agreement in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from milestone_escrow.chain.networks import network
from milestone_escrow.oracle.api.app import create_app
from milestone_escrow.oracle.api.deps import ApiDeps, ApiSettings
from milestone_escrow.oracle.api.sessions import hashed
from milestone_escrow.oracle.store.store import Store
from tests.oracle.api.world import (
    DOMAIN,
    ORIGIN,
    Clock,
    World,
    agreement,
    open_on_chain,
    register,
    set_head,
)

OPERATOR = "escrow_o_the-operators-own-token"


@pytest.fixture
def make(open_store: Callable[..., Store]) -> Iterator[Callable[..., World]]:
    """A service whose settings or rooms are otherwise than usual."""
    clients: list[TestClient] = []

    def made(**changed: object) -> World:
        store, clock, deal = open_store(domain=DOMAIN), Clock(), agreement()
        with store.transaction() as connection:
            open_on_chain(connection, deal)
            set_head(connection)
        register(store, deal)
        names = {field.name for field in dataclasses.fields(ApiSettings)}
        given = {name: value for name, value in changed.items() if name in names}
        settings = ApiSettings(
            **{
                "domain": DOMAIN,
                "network": network("sandbox"),
                "origin": ORIGIN,
                "operator_token": hashed(OPERATOR),
                "stream_poll": 0.02,
                **given,
            }
        )
        rooms = {name: value for name, value in changed.items() if name not in names}
        deps = ApiDeps(store=store, settings=settings, clock=clock, **rooms)
        app = create_app(deps)
        client = TestClient(app, base_url=settings.origin)
        clients.append(client)
        return World(store, clock, deps, app, client, deal)

    yield made
    for client in clients:
        client.close()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()
