"""`escrow sandbox` as people use it: a process in one terminal, commands in another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.chain.node.rpc import HttpNode
from milestone_escrow.sandbox.record import Record, read_record

Run = Callable[..., Any]

ESCROW = [sys.executable, "-c", "from milestone_escrow.cli import main; main()"]
SECONDS = 30


@dataclass
class Terminal:
    """One terminal in which `escrow sandbox` runs; `out` is what it has shown when it ended."""

    process: subprocess.Popen[str]
    home: Path
    port: int
    out: str = field(default="")

    @property
    def record(self) -> Record:
        found = read_record(self.home / "sandbox.json")
        assert found
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.out += self.process.communicate(timeout=SECONDS)[0]
        return self.process.returncode


Start = Callable[..., Terminal]


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start(home: Path, port: int) -> Iterator[Start]:
    """Opens a terminal with a sandbox and waits until it serves."""
    terminals: list[Terminal] = []

    def run(*options: str) -> Terminal:
        command = [*ESCROW, "sandbox", "--port", str(port), *options]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment(home)
        )
        terminals.append(Terminal(process, home, port))
        until = time.monotonic() + SECONDS
        while (record := read_record(home / "sandbox.json")) is None or record.pid != process.pid:
            assert process.poll() is None, "the sandbox ended"
            assert time.monotonic() < until, "the sandbox does not start"
            time.sleep(0.05)
        return terminals[-1]

    yield run
    for terminal in terminals:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.communicate()


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ESCROW_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def test_a_newcomer_gets_from_a_file_to_automatic_release(escrow: Run, start: Start) -> None:
    terminal = start()
    assert escrow("agreement", "new", "carpets").status == 0
    assert escrow("agreement", "check", "agreement.yaml").status == 0
    for role in ("buyer", "supplier"):
        signed = escrow("agreement", "sign", "agreement.yaml", "--as", role, "--yes")
        assert signed.status == 0
    opened = escrow("open", "agreement.yaml", "--fund", "deposit,manufactured", "--yes")
    assert opened.status == 0, opened.err
    attested = escrow(
        "attest", "agreement.yaml", "manufactured", "--accept", "--as", "inspector", "--yes"
    )
    assert attested.status == 0, attested.err
    # Two days for objections: nobody says a word, and the keeper pays.
    warped = escrow("sandbox", "warp", "3d")
    assert warped.status == 0
    assert "time decided 'manufactured': nobody objected for 2 days" in warped.out
    assert "contract paid 72,000.00 USDC to Rajwada Exports for 'manufactured'" in warped.out
    assert terminal.stop() == 0
    assert "both sides opened the agreement" in terminal.out
    assert "contract paid 72,000.00 USDC to Rajwada Exports for 'manufactured'" in terminal.out


def test_shows_who_lives_there(start: Start) -> None:
    terminal = start()
    record = terminal.record
    assert record.url == f"http://127.0.0.1:{terminal.port}"
    assert (terminal.home / "sandbox.json").stat().st_mode & 0o777 == 0o600
    terminal.stop()
    assert record.contract in terminal.out
    assert "buyer       0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf  10,000,000.00" in terminal.out
    assert "arbiter     0xE57bFE9F44b819898F47BF37E5AF72a0783e1141" in terminal.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_and_leaves_nothing(start: Start, number: int) -> None:
    terminal = start()
    assert terminal.stop(number) == 0
    assert terminal.out.rstrip().endswith("nothing of its chain remains.")
    assert not (terminal.home / "sandbox.json").exists()


def test_killed_it_leaves_a_file_that_nobody_believes(escrow: Run, start: Start) -> None:
    first = start()
    left = first.record
    first.stop(signal.SIGKILL)
    assert (first.home / "sandbox.json").exists()
    warped = escrow("sandbox", "warp", "1d")
    assert warped.status == 1
    assert "no sandbox is running; start one with `escrow sandbox`" in warped.err
    # The same port, at once; even if a new process has the old one's number by now.
    used_again = replace(left, pid=os.getpid())
    used_again.write(first.home / "sandbox.json")
    assert start().stop() == 0


def test_a_second_one_is_refused_in_one_sentence(start: Start, tmp_path: Path) -> None:
    first = start()
    for home, complaint in (
        (first.home, f"a sandbox is running already at {first.record.url}"),
        (tmp_path / "another", f"port {first.port} of this machine cannot be used"),
    ):
        second = subprocess.run(
            [*ESCROW, "sandbox", "--port", str(first.port)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment(home),
        )
        assert second.returncode == 1
        assert complaint in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1
    assert first.record.pid == first.process.pid
    assert not (tmp_path / "another" / "sandbox.json").exists()


def test_its_clock_starts_where_it_is_told_and_goes_on(escrow: Run, start: Start) -> None:
    terminal = start("--start", "2027-01-14")
    node = HttpNode(terminal.record.url)

    def now() -> int:
        return int(node.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)

    begun = now()
    day = time.gmtime(begun)
    assert (day.tm_year, day.tm_mon) == (2027, 1)
    assert day.tm_mday in (13, 14, 15)  # its day is this machine's
    warped = escrow("sandbox", "warp", "1 day 12 hours", "--json").json
    assert 0 <= warped["now"] - begun - 129_600 < 60
    assert warped["happened"] == []
    until = time.monotonic() + SECONDS
    while now() <= warped["now"]:
        assert time.monotonic() < until, "the clock stands still"
        time.sleep(0.1)


def test_gives_test_money_to_anyone_and_gas_to_newcomers(escrow: Run, start: Start) -> None:
    start()
    newcomer = "0x" + "ab" * 20
    given = escrow("sandbox", "mint", newcomer, "1,000.50", "--json").json
    assert (given["minted"], given["balance_text"]) == ("1000500000", "1,000.50 USDC")
    node = HttpNode(read_record_of(escrow))
    assert int(node.request("eth_getBalance", [newcomer, "latest"]), 16) == 10 * 10**18
    told = escrow("sandbox", "mint", "supplier", "5")
    assert "supplier has been given 5.00 USDC of test money." in told.out
    assert "gas" not in told.out


def read_record_of(_: Run) -> str:
    record = read_record(Path(os.environ["ESCROW_HOME"]) / "sandbox.json")
    assert record
    return record.url


def test_a_wrong_request_is_one_sentence(escrow: Run, start: Start) -> None:
    start()
    for arguments, complaint in (
        (("warp", "soon"), "'soon' is not a duration; write 48 hours"),
        (("warp", "off"), "no time passes; write 3d"),
        (("warp", "9000 days"), "'9000 days' is too long; warp at most 20 years"),
        (("mint", "buyr", "5"), "nobody in the sandbox is called 'buyr'; did you mean 'buyer'?"),
        (("mint", "0x12", "5"), "'0x12' is not an account"),
        (("mint", "buyer", "5.1234567"), "the amount has 7 decimals, USDC has 6"),
        (("mint", "buyer", "0"), "0 is nothing to give"),
        (("mint", "buyer", "5 EURC"), "the amount is in EURC"),
    ):
        done = escrow("sandbox", *arguments)
        assert done.status == 2, arguments
        assert complaint in done.err
        assert len(done.err.strip().splitlines()) == 1


def test_options_for_starting_do_not_go_with_a_subcommand(escrow: Run) -> None:
    done = escrow("sandbox", "--port", "8600", "warp", "3d")
    assert done.status == 2
    assert "for starting a sandbox" in done.err
    assert escrow("sandbox", "--start", "soon").status == 2
