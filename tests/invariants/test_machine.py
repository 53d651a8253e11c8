"""The contract, its twin and the eight laws of the design, over thousands of plays' calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from milestone_escrow.chain.deploy.compiler import Artifact
from tests.invariants.machine.acts import NAMES
from tests.invariants.machine.base import rules_of
from tests.invariants.machine.run import SHARDS, EscrowMachine, run

CALLS_PER_SHARD = 5_000
PLAYS_PER_SHARD = 110

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@pytest.mark.parametrize("shard", range(1, SHARDS + 1))
def test_contract_and_twin_never_part_and_the_laws_hold(
    artifacts: Mapping[str, Artifact], shard: int, record_property: Any
) -> None:
    """Together the shards meet every rule, verb and error; tests/conftest.py holds them to it."""
    tally = run(artifacts, seed=shard, plays=PLAYS_PER_SHARD)
    record_property("tally", json.dumps(tally.to_json()))
    assert tally.calls >= CALLS_PER_SHARD, tally.lines()[0]


def test_there_are_enough_rules() -> None:
    assert len(set(rules_of(EscrowMachine))) >= 25


def test_every_entry_point_is_played(artifacts: Mapping[str, Artifact]) -> None:
    functions = {
        entry["name"]
        for entry in artifacts["MilestoneEscrow"].abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert functions == set(NAMES)
