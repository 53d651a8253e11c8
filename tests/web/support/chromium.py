"""Headless Chromium out of its npm package: unpacked once, used by every run after."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from ctypes.util import find_library
from pathlib import Path

from tests.support.npm import ROOT, package

PACKAGE = "@sparticuz/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--headless=shell", "--disable-dev-shm-usage"]

_UNPACK = """
const fs = require("fs"), zlib = require("zlib");
fs.writeFileSync(process.argv[2], zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])));
"""


def chromium() -> Path:
    """The browser's executable."""
    there = _folder() / "chromium"
    if not there.is_file():
        mine = _unpacked("chromium.br", there)
        mine.chmod(0o755)
        mine.rename(there)
    return there


def environment() -> dict[str, str]:
    """Where the browser finds its libraries: the system's or, where it has none, the package's."""
    if find_library("nss3"):
        return dict(os.environ)
    libraries = _folder() / "libraries"
    if not (libraries / "lib").is_dir():
        mine = _unpacked("al2023.tar.br", libraries)
        with tarfile.open(mine) as packed:
            packed.extractall(libraries, filter="data")
        mine.unlink()
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries / "lib")}


def _folder() -> Path:
    version = json.loads((package(PACKAGE) / "package.json").read_text("utf-8"))["version"]
    folder = ROOT / "build" / f"chromium-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _unpacked(name: str, place: Path) -> Path:
    """Tests run in several processes: each unpacks beside the place, and the last one's stays."""
    mine = place.with_name(f"{place.name}.{os.getpid()}")
    packed = str(package(PACKAGE) / "bin" / name)
    subprocess.run(["node", "-e", _UNPACK, packed, str(mine)], check=True)
    return mine
