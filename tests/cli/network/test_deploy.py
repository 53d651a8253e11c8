"""`escrow deploy`."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.deploy.deploying import contract_address
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.network import DEPLOYER
from milestone_escrow.chain.node.networks import network
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.keys import Keystore
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.support.anvil import Anvil
from tests.support.explorer import KEY, explorer
from tests.support.nodes import Odd

LINE = ("--network", "anvil")


def password(home: Path) -> tuple[str, str]:
    return "--password-file", str(home / "password")


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
    result = escrow("deploy", *LINE, *password(home), "--yes", "--json")
    assert result.status == 0
    record = json.loads((home / "deployments" / "anvil.json").read_text("utf-8"))
    assert record["address"] == result.json["contract"]
    assert (record["transaction"], record["block"]) == (
        result.json["transaction"],
        result.json["block"],
    )


def test_a_second_run_sends_nothing_and_needs_no_key(escrow: Run, anvil: EmbeddedChain, home: Path):
    first = escrow("deploy", *LINE, *password(home), "--yes", "--json").json
    again = escrow("deploy", *LINE)
    assert again.status == 0
    assert f"Anvil has the contract already, at {first['contract']}" in again.out
    assert anvil.head.number == 1


def test_a_lost_record_is_made_again(escrow: Run, anvil: EmbeddedChain, home: Path):
    first = escrow("deploy", *LINE, *password(home), "--yes", "--json").json
    (home / "deployments" / "anvil.json").unlink()
    assert escrow("deploy", *LINE).status == 0
    record = json.loads((home / "deployments" / "anvil.json").read_text("utf-8"))
    assert (record["address"], record["block"]) == (first["contract"], 1)


def test_what_it_costs_and_where_it_goes_is_said_first(
    escrow: Run, anvil: EmbeddedChain, home: Path
):
    result = escrow("deploy", *LINE, *password(home), "--dry-run")
    assert result.status == 0
    assert f"at {contract_address(network('anvil'))}, as on every network" in result.words
    assert re.search(
        r"costs up to [\d,]{9} gas: about 0\.\d{6} ETH, at most 0\.\d{6} ETH; the account has "
        r"1000000\.000000 ETH",
        result.words,
    )
    assert anvil.head.number == 0
    assert not (home / "deployments").exists()


def test_a_clone_keeps_the_record_too(escrow: Run, anvil: EmbeddedChain, home: Path):
    Path("deployments").mkdir()
    result = escrow("deploy", *LINE, *password(home), "--yes")
    assert "Recorded in" in result.out
    kept = json.loads(Path("deployments/anvil.json").read_text("utf-8"))
    assert kept == json.loads((home / "deployments" / "anvil.json").read_text("utf-8"))


def test_an_interrupted_run_is_finished_by_the_next(
    escrow: Run, anvil: EmbeddedChain, home: Path, monkeypatch: pytest.MonkeyPatch
):
    """The process ends between the broadcast and the record."""
    killed = Odd(anvil, eth_getTransactionReceipt=KeyboardInterrupt())
    monkeypatch.setattr(Session, "endpoint", lambda self, network: killed)
    stopped = escrow("deploy", *LINE, *password(home), "--yes")
    assert stopped.status == 130
    assert "a transaction may be on its way" in stopped.err
    assert not (home / "deployments" / "anvil.json").exists()
    monkeypatch.setattr(Session, "endpoint", lambda self, network: anvil)
    assert escrow("deploy", *LINE).status == 0
    record = json.loads((home / "deployments" / "anvil.json").read_text("utf-8"))
    assert record["transaction"] == "0x" + anvil.head.transactions[0].hash.hex()
    assert anvil.head.number == 1


def test_an_account_without_coin_is_told_before_it_is_asked(
    escrow: Run, anvil: EmbeddedChain, home: Path
):
    Keystore(home / "keys", cost=2).import_key("poor", "77" * 32, "secret")
    result = escrow("deploy", *LINE, *password(home), "--as", "poor", "--yes")
    assert result.status == 1
    assert "ETH too little for gas; send it some" in result.err


def test_a_price_that_no_block_takes_is_refused(escrow: Run, anvil: EmbeddedChain, home: Path):
    line = ("deploy", *LINE, *password(home), "--yes")
    low = escrow(*line, "--max-fee", "0.000000001")
    assert low.status == 2
    assert "no block takes it: Anvil asks for" in low.err
    assert "must be a number of gwei" in escrow(*line, "--max-fee", "cheap").err
    assert "leaves a gap" in escrow(*line, "--nonce", "9").err
    assert anvil.head.number == 0
    assert escrow(*line, "--max-fee", "30", "--nonce", "0").status == 0


def test_a_missing_deployer_is_put_there_first(
    escrow: Run, anvil: EmbeddedChain, home: Path, monkeypatch: pytest.MonkeyPatch
):
    with Anvil(flags=["--disable-default-create2-deployer"]) as bare:
        account = Keystore(home / "keys").list()[0].address
        bare.node.request("anvil_setBalance", [account, hex(10**18)])
        monkeypatch.setattr(Session, "endpoint", lambda self, network: bare.node)
        line = ("deploy", *LINE, *password(home), "--yes")
        without = escrow(*line)
        assert without.status == 1
        assert "put it there first with `escrow deploy --deployer`" in without.err
        result = escrow(*line, "--deployer")
        assert result.status == 0
        assert f"Put at {DEPLOYER}" in result.out
        assert "Deployed at" in result.out


def test_the_sources_go_to_every_explorer(
    escrow: Run, anvil: EmbeddedChain, home: Path, monkeypatch: pytest.MonkeyPatch
):
    with explorer(anvil) as site:
        apis = f'verify.blockscout = "{site.url}/api"\nverify.etherscan = "{site.url}/api"\n'
        (home / "networks.toml").write_text(f"[anvil]\n{apis}", "utf-8")
        site.refuses = "Contract source code already verified"
        result = escrow("deploy", *LINE, *password(home), "--yes", "--verify")
        assert result.status == 0
        assert "verified blockscout: the sources are at 127.0.0.1" in result.words
        assert "etherscan: the explorer at 127.0.0.1" in result.words
        assert "wants an access key; get one there for nothing" in result.words
        monkeypatch.setenv("ETHERSCAN_API_KEY", KEY)
        found = escrow("deploy", *LINE, "--verify", "--json").json["verified"]
        assert {kind: one["ok"] for kind, one in found.items()} == {
            "blockscout": True,
            "etherscan": True,
        }


def test_an_explorer_that_refuses_can_be_asked_again(escrow: Run, anvil: EmbeddedChain, home: Path):
    with explorer(anvil) as site:
        (home / "networks.toml").write_text(f'[anvil]\nverify.sourcify = "{site.url}"\n', "utf-8")
        site.refuses = "This chain is not supported"
        result = escrow("deploy", *LINE, *password(home), "--yes", "--verify")
        assert result.status == 1
        assert "refuses the sources: This chain is not supported" in result.words
        assert (home / "deployments" / "anvil.json").exists()


def test_without_an_explorer_there_is_nowhere_to_verify(
    escrow: Run, anvil: EmbeddedChain, home: Path
):
    result = escrow("deploy", *LINE, *password(home), "--yes", "--verify")
    assert result.status == 2
    assert "no explorer of Anvil is known that takes sources" in result.err
    assert anvil.head.number == 0


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
    again = escrow("deploy", "--test-token", *line)
    assert again.status == 2
    assert "Anvil has USDC already" in json.loads(again.err)["error"]["message"]


def test_the_sandbox_has_one(escrow: Run, world: World, unchanged: Unchanged):
    with unchanged():
        result = escrow("deploy", "--yes")
    assert result.status == 0
    assert "Sandbox has the contract already" in result.out


def test_needs_a_key(escrow: Run, home: Path, monkeypatch: pytest.MonkeyPatch):
    chain = EmbeddedChain(int(time.time()), chain_id=11_155_111)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: chain)
    result = escrow("deploy", "--network", "sepolia", "--yes")
    assert result.status == 2
    assert "there is no key here; make one with `escrow key new NAME`" in result.err


def test_a_node_that_is_behind_deploys_nothing(
    escrow: Run, home: Path, monkeypatch: pytest.MonkeyPatch
):
    chain = EmbeddedChain(int(time.time()) - 7_250, chain_id=11_155_111)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: chain)
    result = escrow("deploy", "--network", "sepolia", "--yes")
    assert result.status == 1
    assert "the node is behind: its latest block, 0, is 2 hours old; wait until" in result.err


def test_main_networks_must_be_meant(escrow: Run, home: Path):
    result = escrow("deploy", "--network", "base", "--yes")
    assert result.status == 2
    assert "the contract is unaudited; if you mean it, say --mainnet" in result.err
