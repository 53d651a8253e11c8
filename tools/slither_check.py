"""Run Slither and hold its findings against docs/security.md: each is answered there, in one line.

Run by the environment that has slither, with forge on the PATH: `make slither`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "security.md"
SOLC = Path.home() / ".solcx" / "solc-v0.8.37"
ROW = re.compile(r"^\| `([\w-]+)` \| `([\w.]+)` \| .{10,} \|$", re.MULTILINE)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = _findings(_project(Path(folder)))
    answered = set(ROW.findall(DOCUMENT.read_text(encoding="utf-8")))
    for check, place in sorted(found - answered):
        print(f"{check} in {place} is not answered in {DOCUMENT.name}")
    for check, place in sorted(answered - found):
        print(f"{DOCUMENT.name} answers {check} in {place}, which Slither does not find")
    print(f"Slither: {len(found)} findings, {len(found & answered)} answered")
    return 0 if found == answered else 1


def _project(folder: Path) -> Path:
    """What is deployed, without the test contracts, built by forge."""
    shutil.copytree(ROOT / "contracts", folder / "contracts", ignore=shutil.ignore_patterns("test"))
    shutil.copy(ROOT / "foundry.toml", folder)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    command = ["forge", "build", "--use", str(SOLC), "--build-info", "--force"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        sys.exit(f"forge cannot build the contracts:\n{built.stderr}")
    return folder


def _findings(folder: Path) -> set[tuple[str, str]]:
    """What was found, and in which function."""
    slither = [str(Path(sys.executable).with_name("slither")), ".", "--ignore-compile"]
    options = ["--foundry-out-directory", "build/forge/out", "--filter-paths", "node_modules"]
    command = [*slither, *options, "--json", "findings.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    report = folder / "findings.json"
    if not report.exists():
        sys.exit(f"Slither did not answer:\n{done.stderr[-2000:]}")
    results = json.loads(report.read_text(encoding="utf-8"))["results"]
    return {
        (finding["check"], _place(finding["elements"][0]))
        for finding in results.get("detectors", [])
    }


def _place(element: dict[str, Any]) -> str:
    """`Contract.function`, also of a local variable."""
    parent = element["type_specific_fields"]["parent"]
    if element["type"] == "variable":
        element, parent = parent, parent["type_specific_fields"]["parent"]
    return f"{parent['name']}.{element['name']}"


if __name__ == "__main__":
    sys.exit(main())
