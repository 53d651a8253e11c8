"""Headless Chromium out of its npm package: unpacked once, used by every run after."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "node_modules" / "@sparticuz" / "chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--headless=shell", "--disable-dev-shm-usage"]

_UNPACK = """
const fs = require("fs"), zlib = require("zlib");
fs.writeFileSync(process.argv[2], zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])));
"""


def chromium() -> Path:
    """The browser's executable."""
    version = json.loads((PACKAGE / "package.json").read_text("utf-8"))["version"]
    there = ROOT / "build" / f"chromium-{version}"
    if not there.is_file():
        there.parent.mkdir(exist_ok=True)
        # Tests run in several processes: whoever is done last replaces the same bytes.
        mine = there.with_name(f"{there.name}.{os.getpid()}")
        packed = str(PACKAGE / "bin" / "chromium.br")
        subprocess.run(["node", "-e", _UNPACK, packed, str(mine)], check=True)
        mine.chmod(0o755)
        mine.rename(there)
    return there
