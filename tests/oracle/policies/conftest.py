"""A house in a store, and no network at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytest_socket

from milestone_escrow.oracle.store.store import Store
from tests.oracle.policies.world import House, build


@pytest.fixture
def no_network() -> Iterator[None]:
    """Whoever opens an internet socket fails."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture
def house(store: Store) -> House:
    return build(store)
