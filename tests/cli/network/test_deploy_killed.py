"""`escrow deploy`, killed outright while its transaction waits, and run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.keys import Keystore
from tests.support.anvil import Anvil

PATIENCE = 60


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """One that mines nothing by itself."""
    with Anvil() as running:
        running.node.request("evm_setAutomine", [False])
        yield running


@pytest.fixture
def home(tmp_path: Path, anvil: Anvil) -> Path:
    """A state folder with a funded key."""
    key = Keystore(tmp_path / "keys", cost=2).import_key("mine", "77" * 32, "secret")
    anvil.node.request("anvil_setBalance", [key.address, hex(10**18)])
    (tmp_path / "password").write_text("secret\n", encoding="utf-8")
    (tmp_path / "password").chmod(0o600)
    return tmp_path


def start(home: Path, anvil: Anvil) -> subprocess.Popen[str]:
    escrow = str(Path(sys.executable).parent / "escrow")
    command = [escrow, "deploy", "--network", "anvil", "--rpc", anvil.url, "--yes"]
    command += ["--password-file", str(home / "password")]
    environment = {**os.environ, "ESCROW_HOME": str(home)}
    return subprocess.Popen(
        command,
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def waiting(anvil: Anvil) -> int:
    return int(anvil.node.request("txpool_status")["pending"], 16)


@pytest.mark.slow
@pytest.mark.parametrize("mined_meanwhile", [True, False])
def test_a_killed_run_leaves_one_transaction_which_the_next_run_records(
    home: Path, anvil: Anvil, mined_meanwhile: bool
) -> None:
    first = start(home, anvil)
    until = time.monotonic() + PATIENCE
    while not waiting(anvil):
        assert time.monotonic() < until, "nothing was sent"
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.05)
    first.kill()
    first.wait()
    assert not (home / "deployments" / "anvil.json").exists()
    if mined_meanwhile:
        anvil.node.request("evm_mine")

    second = start(home, anvil)
    if not mined_meanwhile:
        anvil.node.request("evm_setIntervalMining", [1])
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, said
    record = json.loads((home / "deployments" / "anvil.json").read_text(encoding="utf-8"))
    receipt = anvil.node.request("eth_getTransactionReceipt", [record["transaction"]])
    assert int(receipt["blockNumber"], 16) == record["block"]
    assert anvil.node.request("eth_getTransactionCount", [receipt["from"], "pending"]) == "0x1"
    assert not list((home / "deployments").glob("*.pending"))
