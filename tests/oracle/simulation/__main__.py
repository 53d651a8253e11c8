"""Many seeds beyond those of the suite: `make simulate SEEDS=5000`.

A seed that fails is printed with what it found; it then stays as a named test in
`test_simulation.py`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from os import cpu_count
from pathlib import Path

from tests.oracle.simulation.checks import check
from tests.oracle.simulation.simulation import Simulation
from tests.oracle.simulation.world import Plan


def play(seed: int) -> str:
    """What a seed found; empty where all was well."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        try:
            Simulation(Plan.of(seed), Path(folder)).run(check)
        except Exception:
            return traceback.format_exc(limit=-4)
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.simulation")
    parser.add_argument("--seeds", type=int, default=2_000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first one")
    chosen = parser.parse_args(arguments)
    seeds = range(chosen.start, chosen.start + chosen.seeds)
    found, began = [], time.monotonic()
    with ProcessPoolExecutor(cpu_count()) as workers:
        runs = {workers.submit(play, seed): seed for seed in seeds}
        for done, run in enumerate(as_completed(runs), start=1):
            if trouble := run.result():
                found.append(runs[run])
                print(f"seed {runs[run]} failed:\n{trouble}", flush=True)
            if not done % 100:
                print(f"{done} of {len(seeds)} seeds, {len(found)} failed", flush=True)
    took = time.monotonic() - began
    print(f"{len(seeds)} seeds in {took:.0f} s; failed: {sorted(found) or 'none'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
