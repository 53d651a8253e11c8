"""Every page with console blocks is played against a sandbox of its own, word for word."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.console import ROOT, matches, run, steps
from tests.oracle.support.postgres import PrivatePostgres

# Played by a test of its own, against a chain that wears Sepolia's clothes.
ELSEWHERE = {"oracle.md", "testnets.md"}
PAGES = sorted(
    page
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    if steps(page) and page.name not in ELSEWHERE
)
STARTUP_SECONDS = 30


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A newcomer's: an empty home, and `escrow` on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8"}


@pytest.fixture
def sandbox(tmp_path: Path, environment: dict[str, str]) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "escrow"), "sandbox", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(tmp_path / "home" / ".milestone-escrow" / "sandbox.json", process)
            yield
        finally:
            process.terminate()


def _wait_for(record: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the sandbox did not start"
        if record.exists() and json.loads(record.read_text(encoding="utf-8")):
            return
        time.sleep(0.05)
    pytest.fail(f"no sandbox after {STARTUP_SECONDS} s")


@pytest.fixture
def store(tmp_path: Path, environment: dict[str, str]) -> Iterator[None]:
    """A database of one's own, which `oracle.md` shares between several instances."""
    with TemporaryDirectory(prefix="pg-") as folder, PrivatePostgres(Path(folder)) as server:
        environment["STORE"] = server.database("escrow")
        yield


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("sandbox", "oracles", "store")
@pytest.mark.parametrize("page", [ROOT / "docs" / "oracle.md"], ids=lambda page: page.name)
def test_runs_oracles_as_the_page_says(
    page: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    _play(page, tmp_path, environment)


@pytest.fixture
def oracles(tmp_path: Path) -> Iterator[None]:
    """Ends whatever the page has left running in the background."""
    yield
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
            ours = f"HOME={tmp_path / 'home'}".encode() in environ.split(b"\0")
            if ours and b"oracle" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prints_what_the_page_says(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    _play(page, tmp_path, environment)


def _play(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    for step in steps(page):
        printed = run(step, folder, environment)
        assert matches(step.expected, printed), f"$ {step.command}\n{printed}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_a_page_that_is_wrong_is_noticed() -> None:
    assert matches(
        "paid 5 gas on 1 Mar 2027\n…\n", "paid 9,000 gas on 22 Nov 2026, 10:00 UTC+01:00\nmore\n"
    )
    assert not matches("paid 5.00 USDC\n", "paid 6.00 USDC\n")
    assert not matches("first\n…\nlast\n", "first\nother\n")
