"""`escrow tx`: stuck transactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.cli.shell.session import Session
from milestone_escrow.keys import Keystore, LocalSigner
from tests.cli.conftest import Run
from tests.support.anvil import Anvil
from tests.support.nodes import Odd

KEY = LocalSigner(b"\x77" * 32)
GWEI = 10**9


@pytest.fixture
def anvil(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anvil]:
    """One that mines nothing until somebody asks for a receipt twice, and a key with money."""
    Keystore(home / "keys", cost=2).import_key("mine", "77" * 32, "secret")
    (home / "password").write_text("secret\n", encoding="utf-8")
    (home / "password").chmod(0o600)
    with Anvil() as running:
        running.node.request("anvil_setBalance", [KEY.address, hex(10**18)])
        running.node.request("evm_setAutomine", [False])

        def mine(_: object, truth: Any) -> object:
            running.node.request("evm_mine")
            return truth()

        node = Odd(running.node, eth_getTransactionReceipt=mine)
        monkeypatch.setattr(Session, "endpoint", lambda self, network: node)
        yield running


@pytest.fixture
def stuck(anvil: Anvil) -> str:
    """The hash of a payment that waits."""
    fields = {
        "type": 2,
        "chainId": 31_337,
        "nonce": 0,
        "to": "0x1111111111111111111111111111111111111111",
        "value": 7,
        "data": b"",
        "gas": 30_000,
        "maxFeePerGas": 4 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
    raw = "0x" + KEY.sign_transaction(fields).hex()
    return str(anvil.node.request("eth_sendRawTransaction", [raw]))


def line(home: Path, verb: str, transaction: str, *more: str) -> tuple[str, ...]:
    password = ("--password-file", str(home / "password"))
    return ("tx", verb, transaction, "--network", "anvil", *password, *more)


def test_speeding_up_says_both_prices_and_what_was_mined(escrow: Run, stuck: str, home: Path):
    result = escrow(*line(home, "speed-up", f"tx/{stuck}", "--yes"))
    assert result.status == 0, result.err
    assert "waits with nonce 0 and offers 4 gwei; this offers" in result.words
    assert "The first one will not be mined any more." in result.out


def test_cancelling_sends_nothing_to_oneself(escrow: Run, anvil: Anvil, stuck: str, home: Path):
    link = f"https://scan.example/tx/{stuck}"
    body = escrow(*line(home, "cancel", link, "--yes", "--json")).json
    assert (body["replaces"], body["is_replacement"], body["nonce"]) == (stuck, True, 0)
    mined = anvil.node.request("eth_getTransactionByHash", [body["transaction"]])
    assert (mined["to"], mined["value"]) == (KEY.address.lower(), "0x0")


def test_a_dry_run_sends_nothing(escrow: Run, anvil: Anvil, stuck: str, home: Path):
    result = escrow(*line(home, "speed-up", f"tx/{stuck}", "--dry-run", "--max-fee", "30"))
    assert result.status == 0
    assert "this offers 30 gwei" in result.words
    assert "Nothing was sent" in result.out
    assert int(anvil.node.request("eth_blockNumber"), 16) == 0


def test_a_wallet_can_send_the_replacement(escrow: Run, anvil: Anvil, stuck: str):
    body = escrow("tx", "speed-up", f"tx/{stuck}", "--network", "anvil", "--unsigned", "--json")
    (only,) = body.json["unsigned"]
    assert (only["from"], only["nonce"], only["value"]) == (KEY.address, "0x0", "0x7")
    assert int(only["maxFeePerGas"], 16) > 4 * GWEI
    assert int(anvil.node.request("eth_blockNumber"), 16) == 0


def test_it_asks_first(escrow: Run, stuck: str, home: Path):
    assert escrow(*line(home, "cancel", f"tx/{stuck}"), answers="n\n").status == 130
    assert "there is no terminal to answer on" in escrow(*line(home, "cancel", f"tx/{stuck}")).err


def test_a_bare_hash_could_be_a_secret_unless_it_was_sent_from_here(
    escrow: Run, stuck: str, home: Path
):
    refused = escrow(*line(home, "cancel", stuck, "--dry-run"))
    assert refused.status == 2
    assert "write a transaction's hash as tx/0x…" in refused.err
    assert stuck not in refused.err


def test_a_hash_that_a_command_left_behind_is_known(
    escrow: Run, anvil: Anvil, home: Path, monkeypatch: pytest.MonkeyPatch
):
    """`escrow deploy` gives up waiting; what it says to type is then taken."""
    monkeypatch.setattr("milestone_escrow.chain.deploy.deploying.TIMEOUT", 0.05)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: anvil.node)
    password = ("--password-file", str(home / "password"))
    stopped = escrow("deploy", "--network", "anvil", *password, "--yes")
    assert stopped.status == 1
    assert "is in no block after 0.05 seconds" in stopped.err
    advice = stopped.err.split("`escrow ")[1].split("`")[0].split()
    assert advice[:2] == ["tx", "speed-up"]
    assert escrow(*advice, *password, "--dry-run").status == 0


def test_a_transaction_of_somebody_else_is_left_alone(
    escrow: Run, anvil: Anvil, home: Path, stuck: str
):
    other = Keystore(home / "keys", cost=2).import_key("other", "78" * 32, "secret")
    result = escrow(*line(home, "cancel", f"tx/{stuck}", "--as", "other", "--yes"))
    assert result.status == 2
    assert f"this needs the key of {KEY.address}, which 'other' is not" in result.err
    assert other.address not in result.out


def test_what_nobody_knows_is_one_sentence(escrow: Run, anvil: Anvil, home: Path):
    result = escrow(*line(home, "speed-up", "tx/0x" + "ab" * 32, "--yes"))
    assert result.status == 1
    assert "if it was dropped, run the command anew" in result.err
    assert "is not a transaction's hash" in escrow(*line(home, "speed-up", "tx/0x12")).err
