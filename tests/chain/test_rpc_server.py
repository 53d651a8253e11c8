"""The sandbox's node over HTTP, as web3, wallets and hostile pages meet it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, Web3RPCError

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.installation import install
from milestone_escrow.chain.embedded.server import MAX_BODY, RpcServer
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID

START = 1_799_884_800
JSON = {"Content-Type": "application/json"}


class Clock:
    now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[RpcServer]:
    chain = EmbeddedChain(clock=clock)
    install(chain)
    with RpcServer(chain, 0) as running:
        yield running


@pytest.fixture
def web3(server: RpcServer) -> Web3:
    return Web3(HTTPProvider(server.url, exception_retry_configuration=None))


def post(
    server: RpcServer, body: object, headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, "/", data, JSON if headers is None else headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


def ask(number: object, method: str, *params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def test_web3_reads_pays_and_finds_events(web3: Web3) -> None:
    assert web3.is_connected()
    assert web3.eth.chain_id == SANDBOX_CHAIN_ID
    token = web3.eth.contract(address=address("USDC"), abi=list(load("TestUSDC").abi))
    assert token.functions.symbol().call() == "USDC"
    me = DevSigner(1)
    fields = token.functions.mint(me.address, 7).build_transaction(
        {"from": me.address, "nonce": web3.eth.get_transaction_count(me.address)}
    )
    sent = web3.eth.send_raw_transaction(me.sign_transaction(dict(fields)))
    receipt = web3.eth.wait_for_transaction_receipt(sent, timeout=10)
    assert receipt["status"] == 1
    (event,) = token.events.Transfer().get_logs(from_block=0)
    assert event["args"]["value"] == token.functions.balanceOf(me.address).call() == 7
    for tag in ("latest", "pending", "safe", "finalized"):
        assert web3.eth.get_block(tag)["number"] == receipt["blockNumber"]


def test_web3_sees_custom_errors(web3: Web3) -> None:
    escrow = web3.eth.contract(address=address(""), abi=list(load("MilestoneEscrow").abi))
    with pytest.raises(ContractCustomError):
        escrow.functions.withdraw(address("USDC"), address("USDC"), 1).call()
    with pytest.raises(Web3RPCError, match="nonce too low"):
        web3.eth.send_raw_transaction(
            DevSigner(20).sign_transaction(
                {
                    "type": 2,
                    "chainId": SANDBOX_CHAIN_ID,
                    "nonce": 0,
                    "to": address("USDC"),
                    "value": 0,
                    "gas": 21_000,
                    "maxFeePerGas": 10**10,
                    "maxPriorityFeePerGas": 1,
                }
            )
        )


def test_our_own_client_works_with_it(server: RpcServer) -> None:
    escrow = Escrow.connect("sandbox", DevSigner(1), rpc=server.url)
    usdc = escrow.token("USDC")
    assert escrow.mint("USDC", DevSigner(2).address, 5).gas_used > 21_000
    assert escrow.balance(usdc, DevSigner(2).address) == 5


def test_a_call_sees_the_clock_without_a_transaction(server: RpcServer, clock: Clock) -> None:
    escrow = Escrow.connect("sandbox", rpc=server.url)
    clock.now += 3_600
    assert escrow.now() == clock.now
    with server.using() as chain:
        chain.warp(86_400)
    clock.now += 10
    assert escrow.now() == START + 3_600 + 86_400 + 10


def test_batches_are_answered_in_order_and_notifications_not(server: RpcServer) -> None:
    quiet = {"jsonrpc": "2.0", "method": "eth_chainId"}
    batch = [ask(7, "eth_chainId"), quiet, ask("b", "eth_mystery"), 5]
    status, answers = post(server, batch)
    assert status == 200
    assert [answer["id"] for answer in answers] == [7, "b", None]
    assert answers[0]["result"] == hex(SANDBOX_CHAIN_ID)
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32601, -32600]
    assert post(server, quiet) == (204, None)
    assert post(server, [quiet]) == (204, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32600),
        (b'{"id": 1, "method": "eth_call", "params": [' + b"[" * 40 + b"]" * 41 + b"}", -32600),
        (b"[]", -32600),
        (b"5", -32600),
        (b'{"id": 1}', -32600),
        (b'{"id": 1, "method": 5}', -32600),
        (b'{"id": 1, "method": "eth_getBalance", "params": {"a": 1}}', -32602),
        (json.dumps([{"id": 1, "method": "eth_chainId"}] * 201).encode(), -32600),
    ],
)
def test_nonsense_gets_an_error_and_the_server_goes_on(
    server: RpcServer, body: bytes, code: int
) -> None:
    status, answer = post(server, body)
    assert status == 200
    assert answer["error"]["code"] == code
    assert post(server, ask(1, "eth_chainId"))[1]["result"] == hex(SANDBOX_CHAIN_ID)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**JSON, "Host": "evil.example"}, 403),
        ({**JSON, "Host": "127.0.0.1.evil.example:8547"}, 403),
        ({**JSON, "Host": ""}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        ({**JSON, "Content-Length": str(MAX_BODY + 1)}, 413),
        ({**JSON, "Content-Length": "-5"}, 411),
        ({**JSON, "Content-Length": "many"}, 411),
    ],
)
def test_what_a_hostile_page_can_send_is_refused(
    server: RpcServer, headers: dict[str, str], status: int
) -> None:
    before = server.chain.head.number
    assert post(server, ask(1, "evm_mine"), headers)[0] == status
    assert server.chain.head.number == before


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_this_machine_is_served_by_either_name(server: RpcServer, name: str) -> None:
    headers = {**JSON, "Host": f"{name}:{server.port}"}
    assert post(server, ask(1, "eth_chainId"), headers)[0] == 200


def test_only_post_is_served(server: RpcServer) -> None:
    assert post(server, b"", method="GET")[0] == 405


def test_requests_at_the_same_time_do_not_disturb_each_other(server: RpcServer) -> None:
    receiver = "0x" + "99" * 20
    statuses: list[int] = []

    def pay(number: int) -> None:
        transaction = {"from": DevSigner(number).address, "to": receiver, "value": "0x1"}
        statuses.append(post(server, ask(1, "eth_sendTransaction", transaction))[0])

    threads = [threading.Thread(target=pay, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert post(server, ask(1, "eth_getBalance", receiver))[1]["result"] == "0x8"


def test_a_port_that_is_taken_is_one_sentence(server: RpcServer) -> None:
    with pytest.raises(ChainError, match=f"port {server.port} of this machine cannot be used"):
        RpcServer(EmbeddedChain(), server.port)


def test_a_closed_server_frees_its_port(server: RpcServer) -> None:
    server.close()
    with RpcServer(server.chain, server.port) as again:
        assert post(again, ask(1, "eth_chainId"))[0] == 200


def address(symbol: str) -> Any:
    from milestone_escrow.chain.node.networks import network

    known = network("sandbox")
    return Web3.to_checksum_address(known.token(symbol).address if symbol else known.contract)
