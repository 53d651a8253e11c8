"""How long people wait: for help, and for the demo's first and last line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Row, median_seconds

ROOT = Path(__file__).resolve().parents[1]
ESCROW = str(Path(sys.executable).with_name("escrow"))


def rows() -> Iterator[Row]:
    floor = median_seconds([sys.executable, "-c", "import click"])
    web3 = median_seconds([sys.executable, "-c", "import web3"], runs=3)
    usage = median_seconds([ESCROW, "--help"])
    yield Row("escrow --help", round(usage, 3), "s", "", {"import web3": round(web3, 3)})
    yield Row("escrow --help / import click", round(usage / floor, 2), "times", "<= 3")
    first, total = demo()
    yield Row("make demo, first line", round(first, 2), "s", "<= 2")
    yield Row("make demo, all of it", round(total, 2), "s", "<= 20")


def demo() -> tuple[float, float]:
    """Seconds until the first line that `make demo` prints, and until it ends."""
    start = time.perf_counter()
    command = ["make", "--silent", "demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = time.perf_counter() - start
        process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"make demo ended with {process.returncode}")
    return first, time.perf_counter() - start
