"""What npm brings: where it is, and what becomes of a test where it is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "node_modules"


def program(name: str) -> Path:
    """A program on the PATH, or as npm installs it: `anvil`, `cast`."""
    found = shutil.which(name)
    local = PACKAGES / ".bin" / name
    if found or local.exists():
        return Path(found) if found else local
    _missing(name)


def package(name: str) -> Path:
    """The folder of a package: contracts, a browser, a script to run in pages."""
    folder = PACKAGES / name
    if folder.is_dir():
        return folder
    _missing(name)


def _missing(name: str) -> NoReturn:
    """On a machine that checks what lands, a test that did not run has not passed."""
    says = f"{name} is not installed; Node 20 or newer and `npm ci` bring it"
    if os.environ.get("CI"):
        pytest.fail(says, pytrace=False)
    pytest.skip(says)
