"""The table of networks, and what people add to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from milestone_escrow.chain.node.network import DEPLOYER, Network
from milestone_escrow.chain.node.network_file import write_network
from milestone_escrow.chain.node.networks import network, networks, require_allowed
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID

TEST_NETWORKS = [
    "sepolia",
    "base-sepolia",
    "arbitrum-sepolia",
    "op-sepolia",
    "polygon-amoy",
    "avalanche-fuji",
]
MAIN_NETWORKS = ["ethereum", "base", "arbitrum", "op", "polygon", "avalanche"]
USDC = "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238"


def user_file(folder: Path, text: str) -> Path:
    (folder / "networks.toml").write_text(text)
    return folder


@pytest.mark.parametrize("name", TEST_NETWORKS + MAIN_NETWORKS)
def test_every_public_network_has_a_node_an_explorer_and_usdc(name: str) -> None:
    found = network(name)
    assert found.rpc.startswith("https://")
    assert found.explorer.startswith("https://")
    assert found.token("usdc").decimals == 6
    assert found.main is (name in MAIN_NETWORKS)


def test_chain_ids_are_distinct_but_for_the_two_embedded_ones() -> None:
    ids = [found.chain_id for found in networks().values()]
    assert len(set(ids)) == len(ids) - 1
    assert network("sandbox").chain_id == network("embedded").chain_id == SANDBOX_CHAIN_ID


@pytest.mark.parametrize("name", MAIN_NETWORKS)
def test_real_money_is_refused_unless_asked_for(name: str) -> None:
    with pytest.raises(UsageError, match="--mainnet"):
        require_allowed(network(name), mainnet=False)
    require_allowed(network(name), mainnet=True)


@pytest.mark.parametrize("name", [*TEST_NETWORKS, "sandbox", "anvil"])
def test_test_networks_need_no_permission(name: str) -> None:
    require_allowed(network(name), mainnet=False)


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'goerli'.*sepolia"):
        network("goerli")


def test_a_missing_token_says_where_to_add_it() -> None:
    with pytest.raises(UsageError, match=r"\[op-sepolia.tokens\]"):
        network("op-sepolia").token("EURC")


def test_links_lead_to_the_explorer() -> None:
    assert network("sepolia").link("tx", "0x1") == "https://sepolia.etherscan.io/tx/0x1"
    assert network("anvil").link("tx", "0x1") == ""


def test_a_users_file_adds_networks(tmp_path: Path) -> None:
    text = f'[ours]\nchain_id = 7\nrpc = "http://node"\ntokens.USDC = "{USDC}"\n'
    text += f'tokens.DAI = {{address = "{USDC.lower()}", decimals = 18}}\n'
    found = network("ours", user_file(tmp_path, text))
    assert (found.chain_id, found.rpc, found.title, found.main) == (7, "http://node", "Ours", False)
    assert found.token("USDC").address == found.token("DAI").address == USDC
    assert found.token("DAI").decimals == 18


def test_a_users_file_changes_only_what_it_names(tmp_path: Path) -> None:
    found = network("sepolia", user_file(tmp_path, '[sepolia]\nrpc = "https://mine"\n'))
    assert found.rpc == "https://mine"
    assert found.chain_id == 11_155_111
    assert found.token("USDC").address == USDC


def test_a_users_file_cannot_hide_that_money_is_real(tmp_path: Path) -> None:
    found = network("base", user_file(tmp_path, '[base]\nrpc = "https://mine"\n'))
    with pytest.raises(UsageError, match="--mainnet"):
        require_allowed(found, mainnet=False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[ours", "is not TOML"),
        ("ours = 5", "must be a table"),
        ("[ours]\nrpc = 'http://x'", "needs a chain_id"),
        ("[ours]\nchain_id = '7'", "chain_id must be int"),
        ("[ours]\nchain_id = true", "chain_id must be int"),
        ("[ours]\nchain_id = 7\nmain = 1", "main must be bool"),
        ("[ours]\nchain_id = 7\nrcp = 'http://x'", "unknown fields rcp"),
        ("[ours]\nchain_id = 7\ntokens.USDC = '0x12'", "0x address of 40 hex digits"),
        ("[ours]\nchain_id = 7\ntokens.USDC = {decimals = 6}", "must be an address"),
        (f"[ours]\nchain_id = 7\ntokens.USDC = '{USDC[:-1]}A'", "mistyped"),
        ("[ours]\nchain_id = 0", "chain_id must be at least 1"),
        ("[ours]\nchain_id = 7\nconfirmations = -1", "confirmations must be at least 0"),
        ("[ours]\nchain_id = 7\nfees = 'dear'", "fees must be eip1559 or legacy"),
        ("[ours]\nchain_id = 7\ndata_fee = 'much'", "data_fee must be op-stack or arbitrum"),
        ("[ours]\nchain_id = 7\nmax_fee_gwei = '5'", "max_fee_gwei must be a number of gwei"),
        ("[ours]\nchain_id = 7\nmin_tip_gwei = -1", "min_tip_gwei must be a number of gwei"),
        ("[ours]\nchain_id = 7\nverify = 'x'", "verify must be a table"),
        ("[ours]\nchain_id = 7\nverify.scan = 'x'", "verify.scan must be an address under"),
        ("[ours]\nchain_id = 7\ntokens = 5", "tokens must be a table"),
        (f"[ours]\nchain_id = 7\ncontract = '{USDC.swapcase()[2:]}'", "40 hex digits"),
        (
            f"[ours]\nchain_id = 7\ntokens.USDC = {{address = '{USDC}', decimals = 99}}",
            "decimals must be",
        ),
    ],
)
def test_a_wrong_file_is_answered_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as refusal:
        networks(user_file(tmp_path, text))
    assert says in str(refusal.value)
    assert "networks.toml" in str(refusal.value)


@pytest.mark.parametrize("name", TEST_NETWORKS + MAIN_NETWORKS)
def test_every_public_network_says_what_gas_may_cost_and_who_takes_sources(name: str) -> None:
    found = network(name)
    assert 10**9 <= found.max_fee <= 2_000 * 10**9
    assert {"etherscan", "sourcify"} <= {api.kind for api in found.verify}
    assert found.deployer == DEPLOYER
    assert not found.local
    assert bool(found.faucet) is not found.main


@pytest.mark.parametrize(
    ("name", "data_fee"),
    [("base", "op-stack"), ("op-sepolia", "op-stack"), ("arbitrum", "arbitrum"), ("polygon", "")],
)
def test_rollups_charge_for_data(name: str, data_fee: str) -> None:
    assert network(name).data_fee == data_fee


@pytest.mark.parametrize("name", networks())
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    known = replace(network(name), name="ours")
    assert network("ours", user_file(tmp_path, write_network(known))) == known


def test_a_name_that_breaks_the_file_is_refused() -> None:
    with pytest.raises(UsageError, match="is no name for a network"):
        write_network(Network('a"]\n[sepolia', "Ours", 7))


def test_real_money_is_real_under_every_name(tmp_path: Path) -> None:
    found = network("cheap", user_file(tmp_path, "[cheap]\nchain_id = 1\nmain = false\n"))
    with pytest.raises(UsageError, match="--mainnet"):
        require_allowed(found, mainnet=False)
