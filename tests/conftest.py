"""What holds for every test: the same examples in each run, and quick answers first."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("escrow", derandomize=True, deadline=None, database=None)
settings.load_profile("escrow")

# pytest collects by name; these take seconds, so they wait for the others.
LATE = ("tests/contracts/", "tests/invariants/", "tests/cli/", "tests/examples/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def lateness(item: pytest.Item) -> tuple[bool, bool]:
        return item.get_closest_marker("slow") is not None, item.nodeid.startswith(LATE)

    items.sort(key=lateness)
