"""The whole pipeline under faults: many seeds, and a death at every step of the oracle."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle.simulation.checks import check, told_since
from tests.oracle.simulation.instance import Killer
from tests.oracle.simulation.simulation import Simulation
from tests.oracle.simulation.world import HOUR, Plan

# A fixed sample; `make simulate` and the workflow run more.
SEEDS = 60

# Every moment between two durable effects, by room. Evidence has its own tests.
ORACLE = Path(__file__).resolve().parents[3] / "src" / "milestone_escrow" / "oracle"
STEPS = sorted(
    {
        name
        for room in ("indexer", "signing", "relaying", "reminders")
        for path in (ORACLE / room).glob("*.py")
        for name in re.findall(r'\bfailpoint\("([a-z_.]+)"\)', path.read_text(encoding="utf-8"))
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_end_is_as_if_nothing_had_happened(seed: int, tmp_path: Path) -> None:
    Simulation(Plan.of(seed), tmp_path).run(check)


def test_there_are_steps_to_be_killed_at() -> None:
    """Else the next test would be none."""
    assert len(STEPS) > 20


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_this_step_four_times_over(step: str, tmp_path: Path) -> None:
    """The first four times that it is reached, whichever instance and life that is."""
    killer = Killer(name=step, deaths=4)
    Simulation(Plan.of(STEPS.index(step)).calmly(), tmp_path, killer).run(check)
    assert killer.killed, "nobody came by this step"
    assert set(killer.killed) == {step}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 13])
def test_a_clock_that_was_an_hour_fast_at_the_first_start_loses_nothing(
    seed: int, tmp_path: Path
) -> None:
    """The key's history began in the future, so it joined nobody; and nobody heard of the first
    hour, which was taken for history."""

    def nothing_is_lost(run: Simulation) -> None:
        check(run)
        with run.store.reading() as connection:
            assert told_since(connection) <= run.began

    plan = replace(Plan.of(seed).calmly(), skews=(HOUR,), reference="SIM-LATER")
    Simulation(plan, tmp_path).run(nothing_is_lost)
