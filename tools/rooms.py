"""Which tests belong to which room, and how long they may take: the table in CONTRIBUTING.md.

`python -m tools.rooms ROOM` prints the folders, for pytest.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_ROW = re.compile(r"^\| (?P<rooms>`.*?) \| (?P<tests>`tests/.*?) \| (?P<seconds>[\d,]+) \|$", re.M)


@dataclass(frozen=True)
class Row:
    """Rooms whose tests are run together, and the seconds of one core that they may take."""

    rooms: tuple[str, ...]
    tests: tuple[str, ...]
    seconds: int


@cache
def rows() -> tuple[Row, ...]:
    """The table, as it is written."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return tuple(
        Row(_words(found["rooms"]), _words(found["tests"]), int(found["seconds"].replace(",", "")))
        for found in _ROW.finditer(text)
    )


def _words(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def row_of(test: str) -> Row | None:
    """The row that a test's file is in: the one that names the nearest folder."""
    found = [
        (len(folder), row)
        for row in rows()
        for folder in row.tests
        if test.startswith((f"{folder}/", f"{folder}::")) or test == folder
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def spent(durations: Iterable[tuple[str, float]]) -> Mapping[Row, float]:
    """Seconds of each row, of tests' files and their seconds."""
    total: dict[Row, float] = {}
    for test, seconds in durations:
        if row := row_of(test):
            total[row] = total.get(row, 0) + seconds
    return total


def main(room: str) -> int:
    """A room's folders; or the folder below tests of that name."""
    folders = [folder for row in rows() if room in row.rooms for folder in row.tests]
    if not folders and (ROOT / "tests" / room).is_dir():
        folders = [f"tests/{room}"]
    if not folders:
        known = sorted({name for row in rows() for name in row.rooms})
        print(f"no room {room}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    # Brownie's have an environment of their own: `make test-brownie`.
    print(*(folder for folder in dict.fromkeys(folders) if folder != "tests/brownie"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
