"""A store that has seen one funded agreement."""

from __future__ import annotations

import pytest

from milestone_escrow.oracle.store.store import Store
from tests.oracle.signing.people import Deal, make_deal, put, set_head


@pytest.fixture
def deal(store: Store) -> Deal:
    found = make_deal()
    put(store, found)
    set_head(store)
    return found
