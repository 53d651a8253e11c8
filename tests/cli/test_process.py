"""The installed command, as a newcomer types it: one terminal for the sandbox, one for the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.deal import DEAL

ESCROW = Path(sys.executable).with_name("escrow")

Type = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def escrow(tmp_path: Path) -> Type:
    """Types a command line in a terminal that has an empty home."""
    environment = {**os.environ, "HOME": str(tmp_path), "ESCROW_HOME": str(tmp_path / "state")}

    def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(ESCROW), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    """`escrow sandbox` in another terminal, on a free port, until the test is over."""
    state = tmp_path / "state"
    environment = {**os.environ, "HOME": str(tmp_path), "ESCROW_HOME": str(state)}
    process = subprocess.Popen(
        [str(ESCROW), "sandbox", "--port", str(_free_port())],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 30
        while not (state / "sandbox.json").is_file():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield state
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert not (state / "sandbox.json").exists()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_from_a_file_to_a_release(escrow: Type, sandbox: Path, tmp_path: Path):
    escrow("agreement", "new")
    assert "It may be signed" in escrow("agreement", "check", "agreement.yaml").stdout
    escrow("agreement", "sign", "agreement.yaml", "--as", "buyer", "--yes")
    escrow("agreement", "sign", "agreement.yaml", "--as", "supplier", "--yes")
    escrow("open", "agreement.yaml", "--fund", "all", "--yes")
    reference = json.loads(escrow("status", "--json").stdout)["tasks"][0]["reference"]
    Path(tmp_path / "inspection_report.md").write_text("AQL 2.5 passed", encoding="utf-8")
    attested = escrow("attest", reference, "manufactured", "--accept",
                      "--evidence", "inspection_report.md", "--yes")  # fmt: skip
    assert "evidence inspection_report.md" in attested.stdout
    assert "paid 72,000.00 USDC to Rajwada Exports" in escrow("sandbox", "warp", "3d").stdout
    shown = json.loads(escrow("status", reference, "--json").stdout)
    found = {milestone["key"]: milestone["status_text"] for milestone in shown["milestones"]}
    assert found["manufactured"] == "paid"
    assert "nobody objected for " in " ".join(escrow("history", reference).stdout.split())


def test_says_so_without_a_sandbox(escrow: Type):
    escrow("agreement", "new")
    escrow("agreement", "sign", "agreement.yaml", "--as", "buyer", "--yes")
    done = escrow("status", "agreement.yaml", status=2)
    assert done.stderr == (
        "Error: no sandbox is running; start one with `escrow sandbox` in another terminal\n"
    )


def test_nothing_typed_shows_the_help(escrow: Type):
    assert escrow().stdout == escrow("--help").stdout
    assert "Examples:" in escrow("agreement").stdout


def test_says_its_version(escrow: Type):
    assert escrow("--version").stdout.startswith("escrow 0.")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path):
    process = subprocess.Popen(
        [str(ESCROW), "agreement", "new", "--list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ESCROW_HOME": str(tmp_path)},
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(30)


def test_no_colour_in_a_pipe(escrow: Type):
    assert "\x1b" not in escrow("agreement", "new", "--list").stdout


def test_a_terminal_of_few_letters_stops_nothing(tmp_path: Path) -> None:
    text = DEAL.replace("name: Anna Bauer", "name: Łódzkie Silosy")
    (tmp_path / "deal.yaml").write_text(text, encoding="utf-8")
    home = {"HOME": str(tmp_path), "ESCROW_HOME": str(tmp_path / "state")}
    environment = {**os.environ, **home, "PYTHONIOENCODING": "cp1252"}
    line = [str(ESCROW), "agreement", "sign", "deal.yaml", "--as", "buyer", "--yes"]
    shown = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b"?\xf3dzkie Silosy pays Holz & S\xf6hne" in b" ".join(shown.stdout.split())
    line = [str(ESCROW), "agreement", "check", "deal.yaml", "--json"]
    shown = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert "Łódzkie" in json.dumps(json.loads(shown.stdout), ensure_ascii=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(ESCROW), "network", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be used (No space left on device)\n"
