"""Every room has tests that CONTRIBUTING names, with seconds that they may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import house, rooms

ROOT = house.ROOT
CORES, MINUTES = 2, 20


def folders() -> set[str]:
    """Folders of tests that hold files of their own, and files that lie between folders."""
    tests = {path for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts}
    held = {path.parent for path in tests if path.parent not in (ROOT / "tests", unit())}
    loose = {path for path in tests if path.parent == unit()}
    return {path.relative_to(ROOT).as_posix() for path in held | loose}


def unit() -> Path:
    return ROOT / "tests" / "unit"


def test_every_room_has_its_tests() -> None:
    named = {room for row in rooms.rows() for room in row.rooms}
    assert set(house.FLOOR_OF) <= named


def test_every_folder_of_tests_belongs_to_a_room() -> None:
    assert {folder for folder in folders() if rooms.row_of(folder) is None} == set()


def test_what_the_table_names_exists() -> None:
    named = {folder for row in rooms.rows() for folder in row.tests}
    assert {folder for folder in named if not (ROOT / folder).exists()} == set()


def test_the_budgets_keep_the_suite_under_its_time() -> None:
    assert sum(row.seconds for row in rooms.rows()) <= CORES * MINUTES * 60


def test_seconds_go_to_the_nearest_folder() -> None:
    sandbox = "tests/cli/sandbox/test_demo.py"
    row = rooms.row_of(sandbox)
    assert row is not None
    assert row.rooms == ("sandbox",)
    assert rooms.spent([(sandbox, 1.5), (sandbox, 2.0), ("elsewhere.py", 9)]) == {row: 3.5}


def test_an_unknown_room_is_answered_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rooms.main("cellar") == 2
    assert "there are chain, cli" in capsys.readouterr().err
    assert rooms.main("oracle") == 0
    assert capsys.readouterr().out == "tests/oracle\n"
