"""Whatever happens, nothing is done twice, and in the end everything is done."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.oracle.relaying.machine import Relaying


@pytest.mark.slow
def test_everything_is_done_once_whatever_happens() -> None:
    run_state_machine_as_test(
        Relaying,
        settings=settings(
            max_examples=12,
            # A failure is to be read, and soon: what leads to it is short enough.
            phases=[Phase.explicit, Phase.generate],
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
