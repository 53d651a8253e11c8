"""The house is easy to find one's way in: no circles, small folders, a door plate on each."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tools import house

FULL = 25
# Opened one after the other; a new one is a failure.
STILL_CLOSED = ({"oracle.store.migrating", "oracle.store.store"},)
PACKAGES = sorted({path.parent for path in house.files().values()})


def test_no_file_leads_back_to_itself() -> None:
    """Imports within functions count, too; what only type checkers read does not."""
    found = house.circles(house.graph())
    assert [circle for circle in found if set(circle) not in STILL_CLOSED] == []


@pytest.mark.parametrize("top", ["src", "tests"])
def test_no_folder_holds_more_than_one_can_take_in(top: str) -> None:
    held = Counter(
        path.parent
        for path in (house.ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    assert {str(folder): count for folder, count in held.items() if count > FULL} == {}


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: str(path.relative_to(house.SRC)))
def test_every_room_says_what_it_is(folder: Path) -> None:
    if "migrations" in folder.parts:
        pytest.skip("alembic's own, loaded by path")
    says = ast.get_docstring(house.tree(folder / "__init__.py"))
    assert says
    assert says.strip(".` "), f"{folder} has an empty door plate"


def test_a_circle_would_be_found() -> None:
    """As far as it goes through a third file."""
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert house.circles(edges) == [["a", "b", "c"]]
