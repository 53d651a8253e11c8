"""Fixtures of the invariants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from milestone_escrow.chain.deploy.compiler import Artifact, compile_contracts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    return compile_contracts(ROOT)
