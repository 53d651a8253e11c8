"""`escrow network`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.installation import install
from milestone_escrow.chain.embedded.server import RpcServer
from milestone_escrow.chain.node.networks import networks
from milestone_escrow.cli.shell.session import Place, Session
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.protocol.token import Token
from tests.cli.conftest import Run
from tests.cli.deal import DEAL


@pytest.fixture
def node() -> Iterator[RpcServer]:
    """A node of some chain that has test USDC and the contract at the sandbox's places."""
    chain = EmbeddedChain(chain_id=4_711)
    install(chain)
    with RpcServer(chain, port=0) as server:
        yield server


@pytest.fixture
def usdc() -> str:
    return networks()["sandbox"].token("USDC").address


def test_lists_every_network(escrow: Run, home: Path):
    result = escrow("network", "list")
    assert result.status == 0
    for name in networks():
        assert f"\n{name} " in result.out
    assert "real money" in result.out
    listed = escrow("network", "list", "--json").json["networks"]
    assert [one["name"] for one in listed] == list(networks())


def test_shows_one_with_everything(escrow: Run, home: Path):
    result = escrow("network", "show", "polygon-amoy")
    assert result.status == 0
    for text in ("80002", "worth nothing", "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", "POL"):
        assert text in result.out
    assert "until the node calls the block final" in result.out
    assert "once deployed" in result.out
    body = escrow("network", "show", "base-sepolia", "--json").json
    assert body["data_fee"] == "op-stack"
    assert body["contract"] == escrow("network", "show", "sepolia", "--json").json["contract"]


def test_an_unknown_network_is_refused(escrow: Run, home: Path):
    result = escrow("network", "show", "goerli")
    assert result.status == 2
    assert "or add it with `escrow network add`" in result.err


def test_adds_what_the_node_says(escrow: Run, home: Path, node: RpcServer, usdc: str):
    result = escrow("network", "add", "ours", "--rpc", node.url, "--token", usdc, "--coin", "XYZ")
    assert result.status == 0, result.err
    assert "Added ours, chain 4711" in result.words
    assert f"USDC: {usdc}, 6 decimals" in result.words
    known = networks(home)["ours"]
    assert (known.chain_id, known.coin, known.token("USDC").address) == (4_711, "XYZ", usdc)
    assert (home / "networks.toml").stat().st_mode & 0o777 == 0o600
    again = escrow("network", "add", "ours", "--rpc", node.url)
    assert again.status == 2
    assert "there is a network 'ours' already" in again.err


def test_every_option_is_kept(escrow: Run, home: Path, node: RpcServer):
    options = ("--title", 'Our "own" chain', "--explorer", "https://scan.example/", "--legacy")
    more = ("--cap", "0.5", "--confirmations", "0", "--main")
    api = ("--verify", "sourcify=https://sourcify.example/server")
    assert escrow("network", "add", "ours", "--rpc", node.url, *options, *more, *api).status == 0
    known = networks(home)["ours"]
    assert (known.title, known.explorer, known.fees) == (
        'Our "own" chain',
        "https://scan.example",
        "legacy",
    )
    assert (known.max_fee, known.confirmations, known.main) == (500_000_000, 0, True)
    assert [(api.kind, api.url) for api in known.verify] == [
        ("sourcify", "https://sourcify.example/server")
    ]


def test_the_file_keeps_what_was_in_it(escrow: Run, home: Path, node: RpcServer):
    home.mkdir()
    (home / "networks.toml").write_text('[sepolia]\nrpc = "https://mine"\n', "utf-8")
    assert escrow("network", "add", "ours", "--rpc", node.url).status == 0
    assert networks(home)["sepolia"].rpc == "https://mine"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("Our Chain",), "is no name for a network"),
        (("ours", "--token", "0x12"), "--token must be a 0x address"),
        (("ours", "--token", "0x" + "11" * 20), "there is no code at 0x1111"),
        (("ours", "--verify", "https://scan.example"), "--verify takes KIND=URL"),
        (("ours", "--cap", "much"), "--cap must be a number of gwei"),
    ],
)
def test_what_makes_no_sense_is_not_added(
    escrow: Run, home: Path, node: RpcServer, line: tuple[str, ...], says: str
):
    result = escrow("network", "add", *line, "--rpc", node.url)
    assert result.status in (1, 2)
    assert says in result.err
    assert not (home / "networks.toml").exists()


def test_a_contract_that_is_no_token_is_not_added(escrow: Run, home: Path, node: RpcServer):
    contract = networks()["sandbox"].contract
    result = escrow("network", "add", "ours", "--rpc", node.url, "--token", contract)
    assert result.status == 1
    assert "is not an ERC-20 token" in result.err


def test_real_money_stays_real_under_another_name(escrow: Run, home: Path):
    chain = EmbeddedChain(chain_id=8_453)
    with RpcServer(chain, port=0) as server:
        result = escrow("network", "add", "cheap", "--rpc", server.url)
        assert result.status == 0
        assert "The same chain is known as base, too." in result.out
        assert "escrow network check cheap" in result.out
        assert networks(home)["cheap"].main
        refused = escrow("network", "check", "cheap")
        assert refused.status == 2
        assert "if you mean it, say --mainnet" in refused.err


def test_access_keys_are_not_shown(escrow: Run, home: Path):
    home.mkdir()
    secret = "0123456789abcdef0123456789abcdef"
    text = f'[sepolia]\nrpc = "https://user:pw@node.example/v3/{secret}?key={secret}"\n'
    (home / "networks.toml").write_text(text, "utf-8")
    for line in (("list", "--json"), ("show", "sepolia"), ("show", "sepolia", "--json")):
        result = escrow("network", *line)
        assert secret not in result.out
        assert "pw@" not in result.out
    assert "https://node.example/v3/…" in escrow("network", "show", "sepolia").out


def test_a_good_node_passes_the_check(escrow: Run, home: Path, node: RpcServer, usdc: str):
    escrow("network", "add", "ours", "--rpc", node.url, "--token", usdc)
    text = (home / "networks.toml").read_text("utf-8")
    (home / "networks.toml").write_text(text.replace("chain_id", "local = true\nchain_id"), "utf-8")
    result = escrow("network", "check", "ours")
    assert result.status == 0, result.out
    assert "Everything is right." in result.out
    assert "with permit and ERC-3009" in result.out


def test_a_bad_node_fails_the_check_with_what_to_do(
    escrow: Run, home: Path, node: RpcServer, usdc: str
):
    escrow("network", "add", "ours", "--rpc", node.url, "--token", usdc)
    result = escrow("network", "check", "ours")
    assert result.status == 1
    assert "no head: the node is behind" in result.words
    assert "One thing is not right yet" in result.out
    body = escrow("network", "check", "ours", "--json").json
    assert body["ok"] is False
    assert [one["what"] for one in body["findings"] if not one["ok"]] == ["head"]


def test_a_node_that_is_down_fails_the_check(escrow: Run, home: Path):
    result = escrow("network", "check", "sepolia", "--rpc", "http://127.0.0.1:9")
    assert result.status == 1
    assert "no node: no node answers at http://127.0.0.1:9" in result.words


def test_the_sandbox_is_checked_where_it_runs(
    escrow: Run, home: Path, monkeypatch: pytest.MonkeyPatch
):
    chain = EmbeddedChain()
    install(chain)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: chain)
    assert escrow("network", "check", "sandbox").status == 0


def test_a_chain_of_ones_own_may_be_slow(escrow: Run, home: Path, node: RpcServer):
    assert escrow("network", "add", "ours", "--rpc", node.url, "--local").status == 0
    assert networks(home)["ours"].local
    refused = escrow("network", "add", "more", "--rpc", node.url, "--local", "--main")
    assert refused.status == 2
    assert "keep --main or --local" in refused.err


def test_another_network_of_the_same_chain_is_not_asked(home: Path):
    home.mkdir()
    (home / "networks.toml").write_text('[mine]\nchain_id = 31337\nrpc = "http://x"\n', "utf-8")
    assert Session().network_of(31_337).name == "mine"
    assert Session(network="anvil").network_of(31_337).name == "anvil"
    for name in ("mine", "anvil"):
        session = Session()
        usdc, contract = Token("USDC", "0x" + "11" * 20, 6), "0x" + "22" * 20
        place = Place(replace(networks(home)[name], tokens=(usdc,), contract=contract))
        bound = Agreement.loads(DEAL.replace("sandbox", name)).on(place)
        assert session.place_of(bound).network.name == name
        assert session.network_of(31_337).name == name
