"""Fixtures of the contract tests: one world, branched for each test, its books checked after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from milestone_escrow.chain.deploy.compiler import Artifact
from tests.contracts.support.world import World, branch, build
from tests.support.contracts import compiled


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    return compiled()


@pytest.fixture(scope="session")
def fresh(artifacts: Mapping[str, Artifact]) -> World:
    """Nothing opened yet; branch it, never change it."""
    return build(artifacts)


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    """Whatever a test does, the escrow holds exactly what it owes afterwards."""
    world = branch(fresh)
    yield world
    for token in world.tokens:
        has, owes = world.books(token)
        assert has == owes, f"the escrow has {has} of {token} and owes {owes}"
