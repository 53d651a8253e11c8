"""A run of many plays from one seed."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.stateful import run_state_machine_as_test

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.deploy.compiler import Artifact
from tests.invariants.machine.acts import NAMES
from tests.invariants.machine.base import rules_of
from tests.invariants.machine.certificates import Certificates
from tests.invariants.machine.deciding import Deciding
from tests.invariants.machine.moving import Moving
from tests.invariants.machine.opening import Opening
from tests.invariants.machine.stage import set_stage
from tests.invariants.machine.tally import Tally

SHARDS = 4
"""How many runs, from the seeds 1 to 4, make up the suite."""

# What libraries could revert with, and no call can reach: a string too long for the contract's
# own constant name, and a `multicall` that finds no code at the contract's own address.
_UNREACHABLE = {"AddressEmptyCode", "InvalidShortString", "StringTooLong"}


class EscrowMachine(Opening, Certificates, Deciding, Moving):
    """Every rule there is."""


def wanted() -> dict[str, set[str]]:
    """All rules, verbs and errors, by the tally's counters."""
    errors = {entry["name"] for entry in load("MilestoneEscrow").abi if entry["type"] == "error"}
    return {
        "rules": set(rules_of(EscrowMachine)),
        "allowed": set(NAMES),
        "errors": errors - _UNREACHABLE,
    }


def run(
    artifacts: Mapping[str, Artifact],
    seed: int,
    plays: int,
    steps: int = 60,
    shrink: bool = False,
) -> Tally:
    """Plays from one seed; raises where contract and twin part, or a law breaks."""
    tally = Tally()
    machine = type(
        "EscrowMachine", (EscrowMachine,), {"stage": set_stage(artifacts), "tally": tally}
    )
    run_state_machine_as_test(
        hypothesis_seed(seed)(machine),
        settings=settings(
            max_examples=plays,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return tally
