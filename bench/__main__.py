"""`python -m bench [NAME ...]`: run benchmarks, print their tables, keep their figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench.harness import keep, table

NOT_BENCHMARKS = {"__init__", "__main__", "harness"}


def main(names: Sequence[str]) -> int:
    known = sorted(p.stem for p in Path(__file__).parent.glob("*.py"))
    known = [name for name in known if name not in NOT_BENCHMARKS]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        rows = list(import_module(f"bench.{name}").rows())
        file = keep(name, rows)
        print(f"{name} ({file.relative_to(Path.cwd())})\n{table(rows)}\n", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
