"""The network that Brownie is connected to decides; a wrong one is refused before anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from brownie import accounts

from milestone_escrow.chain.deploy.deploying import contract_address
from milestone_escrow.chain.node.network import DEPLOYER
from milestone_escrow.chain.node.networks import network
from scripts import attest_and_release, deploy, open_and_fund, status, verify_deployment
from tests.brownie.places import connected_to, refuses
from tests.support.anvil import Anvil
from tests.support.sepolia import give_coins


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ESCROW_HOME", str(tmp_path))
    monkeypatch.setenv("ESCROW_YES", "1")
    return tmp_path


def stranger() -> str:
    """Somebody whom Brownie holds; it forgets everybody when it connects."""
    return str(accounts.add("0x" + "b0" * 32).address)


@pytest.mark.parametrize(
    ("name", "chain_id", "sentence"),
    [
        ("sepolia", 84532, "is on chain 84532, not on 11155111"),
        ("mainnet", 1, "Ethereum is a main network with real money"),
        ("goerli", 5, "is chain 5, which is not known here"),
    ],
)
def test_the_wrong_network_is_refused_by_every_script(
    name: str, chain_id: int, sentence: str
) -> None:
    with Anvil(chain_id=chain_id) as anvil, connected_to(anvil.url, name):
        for script, *arguments in (
            (deploy.main, stranger()),
            (verify_deployment.main,),
            (open_and_fund.sign, "deal.yaml"),
            (open_and_fund.main, "deal.yaml"),
            (attest_and_release.main, "deal.yaml", "draft"),
            (status.main, "deal.yaml"),
        ):
            refuses(sentence, script, *arguments)
        assert int(anvil.node.request("eth_blockNumber"), 16) == 0


def test_a_main_network_is_used_when_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCROW_MAINNET", "1")
    with Anvil(chain_id=1) as anvil, connected_to(anvil.url, "mainnet"):
        refuses("there is no contract at", verify_deployment.main)


def test_a_network_of_ones_own_is_found_by_its_chain(home: Path) -> None:
    (home / "networks.toml").write_text("[ours]\nchain_id = 5\n", encoding="utf-8")
    with Anvil(chain_id=5) as anvil, connected_to(anvil.url, "goerli"):
        give_coins(anvil.node, stranger(), 10**18)
        made = deploy.main(stranger())
    assert (made.network, made.address) == ("ours", contract_address(network("sepolia")))


def test_a_node_that_is_down_is_said_to_be() -> None:
    with connected_to("http://127.0.0.1:9"):
        refuses("no node answers for Brownie's network 'sepolia'", deploy.main)
        refuses("brownie networks modify sepolia host=", status.main, "deal.yaml")


def test_an_account_without_coins_deploys_nothing() -> None:
    with Anvil(chain_id=11155111) as anvil, connected_to(anvil.url):
        refuses("ETH too little for gas", deploy.main, stranger())
        assert int(anvil.node.request("eth_blockNumber"), 16) == 0


def test_an_account_that_is_not_there_deploys_nothing() -> None:
    with Anvil(chain_id=11155111) as anvil, connected_to(anvil.url):
        refuses("there is no Brownie account 'nobody'", deploy.main, "nobody")


def test_a_network_without_the_deployer_is_refused() -> None:
    with Anvil(chain_id=11155111) as anvil, connected_to(anvil.url):
        anvil.node.request("anvil_setCode", [DEPLOYER, "0x"])
        refuses("has no deterministic deployer", deploy.main, stranger())


def test_the_answer_no_deploys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESCROW_YES")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with Anvil(chain_id=11155111) as anvil, connected_to(anvil.url):
        give_coins(anvil.node, stranger(), 10**18)
        refuses("not confirmed, nothing was sent", deploy.main, stranger())
        assert anvil.node.request("eth_getTransactionCount", [stranger(), "latest"]) == "0x0"
