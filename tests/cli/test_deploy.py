"""`escrow deploy`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.chain.client import Escrow
from milestone_escrow.chain.embedded import EmbeddedChain
from milestone_escrow.cli.context import Session
from milestone_escrow.keys import Keystore
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged


@pytest.fixture
def anvil(home: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedChain:
    """A fresh chain under Anvil's id, and a funded key of one's own."""
    chain = EmbeddedChain(chain_id=31_337)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: chain)
    Keystore(home / "keys", cost=2).import_key("mine", "00" * 31 + "09", "secret")
    password = home / "password"
    password.write_text("secret\n", encoding="utf-8")
    password.chmod(0o600)
    return chain


def test_deploys_checks_and_records(escrow: Run, anvil: EmbeddedChain, home: Path):
    line = ("deploy", "--network", "anvil", "--password-file", str(home / "password"))
    result = escrow(*line, "--yes", "--json")
    assert result.status == 0
    record = json.loads((home / "deployments" / "anvil.json").read_text("utf-8"))
    assert record["address"] == result.json["contract"]
    again = escrow(*line, "--yes")
    assert again.status == 1
    assert f"has the contract already, at {record['address']}" in again.err
    assert escrow(*line, "--yes", "--again").status == 0


def test_a_recorded_contract_is_what_people_sign_for(escrow: Run, anvil: EmbeddedChain, home: Path):
    line = ("--network", "anvil", "--password-file", str(home / "password"), "--yes", "--json")
    contract = escrow("deploy", *line).json["contract"]
    assert Session(network="anvil").place(None).domain.verifying_contract == contract


def test_a_test_token_makes_a_chain_of_ones_own_usable(
    escrow: Run, anvil: EmbeddedChain, home: Path
):
    line = ("--network", "anvil", "--password-file", str(home / "password"), "--yes", "--json")
    made = escrow("deploy", "--test-token", *line).json
    place = Session(network="anvil").place(None)
    assert place.token("USDC").address == made["token"]
    client = Escrow.connect(place.network, rpc=anvil, contract=made["contract"])
    assert client.balance(place.token("USDC"), made["account"]) == 10_000_000 * 10**6
    again = escrow("deploy", "--test-token", "--again", *line)
    assert again.status == 2
    assert "Anvil has USDC already" in json.loads(again.err)["error"]["message"]


def test_dry_run_sends_nothing(escrow: Run, anvil: EmbeddedChain, home: Path):
    password = ("--password-file", str(home / "password"))
    result = escrow("deploy", "--network", "anvil", "--dry-run", *password)
    assert result.status == 0
    assert "costs up to" in result.out
    assert anvil.head.number == 0
    assert not (home / "deployments").exists()


def test_the_sandbox_has_one(escrow: Run, world: World, unchanged: Unchanged):
    with unchanged():
        result = escrow("deploy", "--yes")
    assert result.status == 1
    assert "Sandbox has the contract already" in result.err


def test_needs_a_key(escrow: Run, home: Path):
    result = escrow("deploy", "--network", "sepolia", "--yes")
    assert result.status == 2
    assert "there is no key here; make one with `escrow key new NAME`" in result.err


def test_main_networks_must_be_meant(escrow: Run, home: Path):
    result = escrow("deploy", "--network", "base", "--yes")
    assert result.status == 2
    assert "the contract is unaudited; if you mean it, say --mainnet" in result.err
