"""The state machine for as long as it is told, on all cores: `make fuzz SECONDS=600`.

Each round plays a random seed. A failure prints what to run to see it again, with the same
contracts and the same hypothesis: `make fuzz SEED=...`, which also shrinks it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from milestone_escrow.chain.deploy.compiler import compile_contracts
from tests.invariants.machine.run import run
from tests.invariants.machine.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
PLAYS = 25


def main() -> int:
    options = _options()
    if options.seed is not None:
        tally, failure = play(options.seed, shrink=True)
        print(failure or "\n".join(tally.lines()))
        return bool(failure)
    return fuzz(options.seconds)


def fuzz(seconds: float) -> int:
    """Rounds in parallel until the time is up; 1 where one of them failed."""
    stop, total, rounds = time.monotonic() + seconds, Tally(), 0
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        running: dict[Future[tuple[Tally, str]], int] = {}
        while running or time.monotonic() < stop:
            while time.monotonic() < stop and len(running) < (os.cpu_count() or 1):
                seed = secrets.randbits(32)
                running[pool.submit(play, seed)] = seed
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                seed, (tally, failure) = running.pop(future), future.result()
                total.add(tally)
                rounds += 1
                if failure:
                    print(
                        f"{failure}\nSeen by seed {seed}; again, and shrunk: make fuzz SEED={seed}"
                    )
                    return 1
                print(f"round {rounds}, seed {seed}: {tally.calls} calls", flush=True)
    print("\n".join(total.lines()))
    return 0


def play(seed: int, shrink: bool = False) -> tuple[Tally, str]:
    """One round; what went wrong, or nothing."""
    try:
        return run(compile_contracts(ROOT), seed, PLAYS, shrink=shrink), ""
    except Exception:
        # Whatever it was, hypothesis has added the play that led to it.
        return Tally(), traceback.format_exc()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="play one round again, and shrink what fails")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
