"""Fixtures of the invariants, and the coverage report at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from milestone_escrow.chain.compiler import Artifact, compile_contracts
from tests.invariants.machine.tally import Tally

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    return compile_contracts(ROOT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the machine did, all shards together, whichever process ran them."""
    total = Tally()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if name == "tally":
                    total.add(Tally.from_json(json.loads(value)))
    if total.calls:
        terminalreporter.section("state machine")
        for line in total.lines():
            terminalreporter.write_line(line)
