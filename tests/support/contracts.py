"""The repository's contracts, compiled: those that the package ships, and those of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from milestone_escrow.chain.deploy.compiler import Artifact, compile_contracts
from tests.support.npm import ROOT, package


@cache
def compiled() -> Mapping[str, Artifact]:
    """By name; they import libraries that npm brings."""
    package("@openzeppelin/contracts")
    return compile_contracts(ROOT)
