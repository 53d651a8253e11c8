"""Fixtures of the invariants, and the coverage report at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from milestone_escrow.chain.compiler import Artifact, compile_contracts
from tests.invariants.machine.run import SHARDS, wanted
from tests.invariants.machine.tally import Tally

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    return compile_contracts(ROOT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the machine did, all shards together, whichever process ran them."""
    shards = _shards(terminalreporter)
    if shards:
        terminalreporter.section("state machine")
        for line in _together(shards).lines():
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Together the shards must have met everything; one alone cannot be asked to."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    shards = _shards(reporter)
    if len(shards) == SHARDS and (missing := _together(shards).missing(wanted())):
        reporter.write_line(f"\nno shard of the state machine met {', '.join(missing)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _shards(reporter: pytest.TerminalReporter) -> list[Tally]:
    return [
        Tally.from_json(json.loads(value))
        for outcome in ("passed", "failed")
        for report in reporter.getreports(outcome)
        for name, value in getattr(report, "user_properties", ())
        if name == "tally"
    ]


def _together(shards: list[Tally]) -> Tally:
    total = Tally()
    for tally in shards:
        total.add(tally)
    return total
