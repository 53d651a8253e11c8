"""The whole pipeline under faults: many seeds, and a death at every step of what the oracle does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle.simulation.checks import check
from tests.oracle.simulation.instance import Killer
from tests.oracle.simulation.simulation import Simulation

SEEDS = 200

STEPS = (
    "index.read",
    "index.begun",
    "index.undone",
    "index.events_written",
    "index.rows_rebuilt",
    "index.cursor_written",
    "index.before_commit",
    "index.committed",
    "sign.decided",
    "sign.signed",
    "sign.stored",
    "relay.planned",
    "relay.claimed",
    "relay.simulated",
    "relay.signed",
    "relay.broadcast",
    "relay.recorded",
    "relay.mined",
    "relay.final",
    "reminders.claimed",
    "reminders.marked",
    "reminders.accepted",
    "reminders.recorded",
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_end_is_as_if_nothing_had_happened(seed: int, tmp_path: Path) -> None:
    Simulation(seed, tmp_path).run(check)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_this_step_every_time_it_comes(step: str, tmp_path: Path) -> None:
    """The first four times that it is reached, whichever instance and life that is."""
    killer = Killer(name=step, deaths=4)
    Simulation(STEPS.index(step), tmp_path, killer, calm=True).run(check)
    assert killer.killed
    assert set(killer.killed) == {step}
