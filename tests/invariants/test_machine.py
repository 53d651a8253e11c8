"""The contract, its twin and the eight laws of the design, over thousands of plays' calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from milestone_escrow.chain.compiler import Artifact
from tests.invariants.machine.acts import NAMES
from tests.invariants.machine.base import rules_of
from tests.invariants.machine.run import EscrowMachine, run

SHARDS = (1, 2, 3, 4)
CALLS_PER_SHARD = 5_000
PLAYS_PER_SHARD = 110
RARE = 3
"""How many rules, verbs or errors a run of one shard may miss."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@pytest.mark.parametrize("shard", SHARDS)
def test_contract_and_twin_never_part_and_the_laws_hold(
    artifacts: Mapping[str, Artifact], shard: int, record_property: Any
) -> None:
    """Four runs of 5,000 calls; what one never met, others do: the report adds them up."""
    tally = run(artifacts, seed=shard, plays=PLAYS_PER_SHARD)
    record_property("tally", json.dumps(tally.to_json()))
    assert tally.calls >= CALLS_PER_SHARD, tally.lines()[0]
    assert len(set(rules_of(EscrowMachine)) - set(tally.rules)) <= RARE
    assert len(_errors(artifacts["MilestoneEscrow"]) - set(tally.errors)) <= RARE
    assert len(set(NAMES) - set(tally.allowed)) <= RARE


def test_there_are_enough_rules() -> None:
    assert len(set(rules_of(EscrowMachine))) >= 25


def test_every_entry_point_is_played(artifacts: Mapping[str, Artifact]) -> None:
    functions = {
        entry["name"]
        for entry in artifacts["MilestoneEscrow"].abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert functions == set(NAMES)


# What libraries could revert with, and no call can reach: a string too long for the contract's
# own constant name, and a `multicall` that finds no code at the contract's own address.
UNREACHABLE = {"AddressEmptyCode", "InvalidShortString", "StringTooLong"}


def _errors(escrow: Artifact) -> set[str]:
    return {entry["name"] for entry in escrow.abi if entry["type"] == "error"} - UNREACHABLE
