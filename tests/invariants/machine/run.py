"""A run of many plays from one seed."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.stateful import run_state_machine_as_test

from milestone_escrow.chain.compiler import Artifact
from tests.invariants.machine.certificates import Certificates
from tests.invariants.machine.deciding import Deciding
from tests.invariants.machine.moving import Moving
from tests.invariants.machine.opening import Opening
from tests.invariants.machine.stage import set_stage
from tests.invariants.machine.tally import Tally


class EscrowMachine(Opening, Certificates, Deciding, Moving):
    """Every rule there is."""


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
