"""A world for each test, on a chain that is set up once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.store.store import Store
from tests.oracle.relaying.world import CONFIRMATIONS, START, World, opened
from tests.oracle.support.mempool import Mempool


@pytest.fixture(scope="session")
def fresh() -> Escrow:
    """The contract and a buyer with money; branched for each test, never changed."""
    escrow = Escrow.embedded(DevSigner(1), start=START)
    escrow.mint("USDC", DevSigner(1).address, 10**15)
    escrow.allow("USDC", 10**15)
    return escrow


@pytest.fixture(scope="session")
def agreed(fresh: Escrow) -> OpenedAgreement:
    """Open and funded for all tests."""
    return opened(fresh)


@pytest.fixture
def deal(agreed: OpenedAgreement) -> OpenedAgreement:
    """Four funded milestones, each decided by one of two verifiers, and paid at once."""
    return agreed


@pytest.fixture
def chain(fresh: Escrow, agreed: OpenedAgreement) -> Iterator[Escrow]:
    snapshot = fresh.chain.snapshot()
    yield fresh.acting_as(None)
    fresh.chain.revert(snapshot)


@pytest.fixture
def world(chain: Escrow, open_store: Callable[..., Store]) -> World:
    pool = Mempool(chain.chain)
    network = replace(chain.network, confirmations=CONFIRMATIONS)
    world = World(chain, pool, open_store(domain=chain.domain), network, pool, chain.now())
    world.follow()
    return world
