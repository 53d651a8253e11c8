"""Connecting: the right node, the right chain, the right contract, or one sentence."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from web3 import HTTPProvider, Web3

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.deploy.deployments import read_deployment
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.installation import install
from milestone_escrow.chain.node.network import DEPLOYER, Network
from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.node.rpc import HttpNode, RpcError, Web3Node
from milestone_escrow.errors import ChainError, EscrowError, UsageError
from milestone_escrow.keys import DevSigner, LocalSigner
from tests.support.anvil import Anvil

LOCAL = Network("local", "Local", 5)


class Canned:
    """A node with ready answers, for what the embedded chain never does."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """An HTTP server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v3/secret-key"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sentence(error: EscrowError) -> str:
    text = str(error)
    assert "\n" not in text
    assert "secret-key" not in text
    return text


def test_a_node_that_is_down_is_named_without_its_access_key() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ChainError) as refusal:
        Escrow.connect("sandbox", rpc=f"http://127.0.0.1:{port}/v3/secret-key")
    assert f"no node answers at http://127.0.0.1:{port}" in sentence(refusal.value)


def test_a_node_that_hangs_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        node = HttpNode(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=0.1)
        with pytest.raises(ChainError, match=r"did not answer within 0\.1 seconds"):
            node.request("eth_chainId")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"<html>not found</html>", 404, "is not a node (HTTP status 404)"),
        (b"", 502, "is not a node (HTTP status 502)"),
        (b"[]", 200, "does not speak JSON-RPC"),
        (b"{}", 200, "does not speak JSON-RPC"),
        (b'{"jsonrpc":"2.0","id":1,"result":null}', 200, "does not say which chain"),
        (b'{"jsonrpc":"2.0","id":1,"result":"soon"}', 200, "does not say which chain"),
        (b'{"error":{"code":-32005,"message":"too many requests"}}', 200, "too many requests"),
        (b'{"error":{"code":-32005,"message":"slow down"}}', 429, "limits how often"),
        (b"", 401, "wants an access key"),
        (b'{"error":{}}', 200, "the node gave no reason"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence(body: bytes, status: int, says: str) -> None:
    with answering(body, status) as url, pytest.raises(ChainError) as refusal:
        Escrow.connect("sandbox", rpc=url)
    assert says in sentence(refusal.value)


@pytest.mark.parametrize(("body", "status"), [(b"<html>", 200), (b"", 502), (b"{}", 200)])
def test_a_web3_object_that_answers_nonsense_is_one_sentence(body: bytes, status: int) -> None:
    with answering(body, status) as url, pytest.raises(ChainError) as refusal:
        Escrow.connect("sandbox", rpc=Web3(HTTPProvider(url, exception_retry_configuration=None)))
    sentence(refusal.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8545", "ftp://node", "http://", "node"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ChainError, match="must start with http"):
        Escrow.connect("sandbox", rpc=url)


@pytest.mark.parametrize(
    "data",
    ["0xdeadbeef", {"data": "0xdeadbeef"}, "Reverted 0xdeadbeef"],
    ids=["plain", "wrapped", "prefixed"],
)
def test_revert_data_is_read_as_nodes_write_it(data: object) -> None:
    error = {"code": 3, "message": "execution reverted", "data": data}
    with (
        answering(json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()) as url,
        pytest.raises(RpcError) as refusal,
    ):
        HttpNode(url).request("eth_call")
    assert (refusal.value.code, refusal.value.data) == (3, bytes.fromhex("deadbeef"))


def test_a_node_on_another_chain_is_refused() -> None:
    chain = EmbeddedChain(chain_id=5)
    with pytest.raises(ChainError, match="the node is on chain 5, but Ethereum Sepolia is chain"):
        Escrow.connect("sepolia", rpc=chain)


def test_an_address_without_code_is_refused() -> None:
    with pytest.raises(ChainError, match="there is no contract at"):
        Escrow.connect("sandbox", rpc=EmbeddedChain())


def test_other_code_is_refused() -> None:
    chain = EmbeddedChain()
    known = install(chain)
    with pytest.raises(ChainError, match="is not the escrow contract of this version"):
        Escrow.connect("sandbox", rpc=chain, contract=known.token("USDC").address)


def test_the_contract_with_another_domain_is_refused() -> None:
    """Code that was made for another chain looks the same and refuses every signature."""
    chain = EmbeddedChain()
    place = bytes.fromhex(install(chain).contract[2:])
    code = "0x" + chain.state().get_code(place).hex()
    other = Canned(eth_chainId="0x5", eth_getCode=code)
    with pytest.raises(ChainError, match="is not the escrow contract of this version"):
        Escrow.connect(LOCAL, rpc=other, contract=network("embedded").contract)


def test_without_a_contract_the_way_out_is_to_deploy() -> None:
    with pytest.raises(UsageError, match="escrow deploy"):
        Escrow.connect(LOCAL, rpc=Canned(eth_chainId="0x5", eth_getCode="0x"))


def test_a_contract_that_somebody_deployed_is_found_without_a_record() -> None:
    chain = EmbeddedChain(chain_id=5)
    deployed = Escrow.deploy(LOCAL, rich(chain), rpc=chain)
    found = Escrow.connect(LOCAL, rpc=chain)
    assert (found.contract, found.domain) == (deployed.contract, deployed.domain)


def test_without_a_node_the_way_out_is_to_name_one() -> None:
    with pytest.raises(UsageError, match="--rpc"):
        Escrow.connect(LOCAL)


def test_a_main_network_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match="--mainnet"):
        Escrow.connect("base", rpc=Canned())
    with pytest.raises(UsageError, match="--mainnet"):
        Escrow.deploy("base", DevSigner(1), rpc=Canned())


def test_the_embedded_network_needs_nothing() -> None:
    escrow = Escrow.connect("embedded")
    assert escrow.network == network("embedded")
    assert escrow.contract == network("sandbox").contract
    assert escrow.token("USDC") == network("sandbox").token("USDC")


def test_every_embedded_chain_has_the_contract_at_the_same_address() -> None:
    chain = EmbeddedChain()
    assert install(chain) == install(chain) == network("embedded")
    assert chain.head.number == 2


def test_installing_on_a_used_chain_is_refused() -> None:
    chain = EmbeddedChain()
    chain.send_from(20, bytes(20), value=1)
    with pytest.raises(ChainError, match="on a fresh chain"):
        install(chain)


def test_the_time_of_a_chain_elsewhere_is_not_ours_to_tell() -> None:
    chain = EmbeddedChain()
    install(chain)
    assert Escrow.connect("sandbox", rpc=chain).chain is chain
    from milestone_escrow.chain.embedded.provider import provider

    elsewhere = Escrow.connect("sandbox", rpc=Web3Node(provider(chain)))
    with pytest.raises(ChainError, match="not in this process"):
        _ = elsewhere.chain


def test_a_deployment_is_recorded_and_found_again(tmp_path: Path) -> None:
    chain = EmbeddedChain(chain_id=LOCAL.chain_id)
    signer = rich(chain)
    deployed = Escrow.deploy(LOCAL, signer, rpc=chain, state=tmp_path)
    record = read_deployment(LOCAL, tmp_path)
    assert record is not None
    assert (record.address, record.chain_id, record.block) == (deployed.contract, 5, 2)
    again = Escrow.connect(LOCAL, rpc=chain, state=tmp_path)
    assert again.contract == deployed.contract
    assert again.domain.separator() == deployed.domain.separator()


def test_a_damaged_record_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "deployments"
    folder.mkdir()
    for content in ("", "[]", "{}", '{"network": 5}'):
        (folder / "local.json").write_text(content)
        with pytest.raises(ChainError, match="is not a deployment record"):
            Escrow.connect(LOCAL, rpc=Canned(eth_chainId="0x5"), state=tmp_path)


def test_a_record_of_another_chain_is_refused(tmp_path: Path) -> None:
    chain = EmbeddedChain(chain_id=5)
    Escrow.deploy(LOCAL, rich(chain), rpc=chain, state=tmp_path)
    moved = Network("local", "Local", 6)
    with pytest.raises(ChainError, match="is of chain 5, Local is 6"):
        Escrow.connect(moved, rpc=EmbeddedChain(chain_id=6), state=tmp_path)


def test_what_deploying_would_send_can_be_seen_before() -> None:
    chain = EmbeddedChain(chain_id=5)
    signer = rich(chain)
    prepared = Escrow.prepare_deploy(LOCAL, signer.address, rpc=chain)
    assert prepared is not None
    assert prepared.to == DEPLOYER
    assert prepared.data.endswith(load("MilestoneEscrow").bytecode)
    assert prepared.gas > 3_000_000
    Escrow.deploy(LOCAL, signer, rpc=chain)
    assert Escrow.prepare_deploy(LOCAL, signer.address, rpc=chain) is None


def test_an_anvil_that_does_not_come_up_says_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "anvil"
    fake.write_text("#!/bin/sh\necho 'Error: address in use' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ChainError, match="Error: address in use"):
        Anvil(wait=5)


def rich(chain: EmbeddedChain) -> LocalSigner:
    """A key of no sandbox, with money for gas."""
    signer = LocalSigner(b"\x77" * 32)
    chain.send_from(1, bytes.fromhex(signer.address[2:]), value=10**20)
    return signer
