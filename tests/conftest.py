"""What holds for every test: the same examples in each run, and quick answers first."""

from __future__ import annotations

import pytest
from hypothesis import settings

from milestone_escrow.cli.shell.home import prefer_fast_hashing
from tools import rooms

prefer_fast_hashing()

settings.register_profile("escrow", derandomize=True, deadline=None, database=None)
settings.load_profile("escrow")

# pytest collects by name; these take seconds, so they wait for the others.
LATE = ("tests/contracts/", "tests/invariants/", "tests/cli/", "tests/examples/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def lateness(item: pytest.Item) -> tuple[bool, bool]:
        return item.get_closest_marker("slow") is not None, item.nodeid.startswith(LATE)

    items.sort(key=lateness)


# Here, since of several processes only the first one ends the run, and it reads no other folder's
# conftest.py.
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the state machine did, all shards together, and the seconds of each room."""
    _show_seconds(terminalreporter)
    if shards := _tallies(terminalreporter):
        from tests.invariants.together import together

        terminalreporter.section("state machine")
        for line in together(shards).lines():
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Together the shards must have met everything; one alone cannot be asked to."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not (shards := _tallies(reporter)):
        return
    from tests.invariants.together import missing

    if never := missing(shards):
        reporter.write_line(f"\nno shard of the state machine met {', '.join(never)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _show_seconds(reporter: pytest.TerminalReporter) -> None:
    """Beside its budget; on a machine that has other work, read them against each other."""
    took = rooms.spent(
        (report.nodeid.partition("::")[0], report.duration)
        for outcome in ("", "passed", "failed", "skipped", "error")
        for report in reporter.getreports(outcome)
        if isinstance(report, pytest.TestReport)
    )
    if not took:
        return
    reporter.section("seconds of each room")
    for row, seconds in sorted(took.items(), key=lambda one: one[1], reverse=True):
        over = "  over its budget" if seconds > row.seconds else ""
        names = ", ".join(row.rooms)
        reporter.write_line(f"{names:<20}{seconds:>8.1f} of {row.seconds:>4}{over}")


def _tallies(reporter: pytest.TerminalReporter) -> list[str]:
    """What each shard that ran has counted, as JSON."""
    return [
        str(value)
        for outcome in ("passed", "failed")
        for report in reporter.getreports(outcome)
        for name, value in getattr(report, "user_properties", ())
        if name == "tally"
    ]
