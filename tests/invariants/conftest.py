"""Fixtures of the invariants."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from milestone_escrow.chain.deploy.compiler import Artifact
from tests.support.contracts import compiled


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    return compiled()
