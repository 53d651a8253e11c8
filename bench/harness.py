"""How figures are taken and kept.

A benchmark is a module `bench/NAME.py` with one function:

    def rows() -> Iterable[Row]

`make bench` (or `python -m bench NAME ...`) runs them, prints each as a table and writes
`bench/results/NAME.json`: a list of objects with name, value, unit, target, peers.

    Row("open + fund, 3 milestones", 97_397, "gas", "<= 115000", {"Kleros": 165_681})

`target` is "" or a comparison with a number; `peers` holds others' figures in the same unit.
`median_seconds` times a command. A figure that misses its target is marked, not an error: what
must hold is a test.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
HEADER = ("", "value", "unit", "target", "", "peers")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `target` is "" or "<= 3", ">= 2000"; `peers` are figures in the same unit."""

    name: str
    value: float
    unit: str
    target: str = ""
    peers: Mapping[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        if not self.target:
            return True
        comparison, bound = self.target.split()
        if comparison not in ("<=", ">="):
            raise ValueError(f"the target of {self.name} is {self.target!r}, not <= or >= a number")
        return self.value <= float(bound) if comparison == "<=" else self.value >= float(bound)


def keep(name: str, rows: Iterable[Row], folder: Path = RESULTS) -> Path:
    """Write a benchmark's rows; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    text = json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
    return file


def table(rows: Sequence[Row]) -> str:
    """The rows for people, columns aligned, values to the right."""
    cells = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    lines = []
    for line in cells:
        parts = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        parts[1] = line[1].rjust(widths[1])
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def median_seconds(command: Sequence[str], runs: int = 7) -> float:
    """The median duration of a command, after one run that only warms the disk cache."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _cells(row: Row) -> tuple[str, ...]:
    peers = ", ".join(f"{name} {_number(value)}" for name, value in row.peers.items())
    mark = "" if row.met else "missed"
    return (row.name, _number(row.value), row.unit, row.target, mark, peers)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
