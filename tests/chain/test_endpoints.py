"""Several nodes as one: who fails, lags or is elsewhere is passed over until it is well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from milestone_escrow.chain.node.endpoints import (
    FIRST_PAUSE,
    WRONG_CHAIN_PAUSE,
    Endpoints,
)
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, LimitedError, RpcError
from milestone_escrow.errors import ChainError, UsageError

SEPOLIA = network("sepolia")


class Scripted:
    """A node that answers what it is told to, and counts."""

    def __init__(self, name: str, **answers: object) -> None:
        self.host = f"https://{name}.example/v3/secret-key"
        self.answers: dict[str, object] = {
            "eth_chainId": hex(SEPOLIA.chain_id),
            "eth_blockNumber": "0x64",
            "eth_call": name,
            **answers,
        }
        self.asked: list[str] = []

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        self.asked.append(method)
        answer = self.answers[method]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Join = Callable[..., Endpoints]


@pytest.fixture
def join(clock: Clock) -> Join:
    return lambda *nodes: Endpoints(nodes, SEPOLIA, clock=clock)


def down() -> ChainError:
    return ChainError("the node did not answer within 20 seconds")


def test_the_first_that_is_well_answers(join: Join) -> None:
    first, second = Scripted("a"), Scripted("b")
    nodes = join(first, second)
    assert [nodes.request("eth_call") for _ in range(3)] == ["a", "a", "a"]
    assert "eth_call" not in second.asked


@pytest.mark.parametrize("error", [down(), LimitedError("a", "HTTP status 429")])
def test_another_answers_for_one_that_does_not(join: Join, clock: Clock, error: Exception) -> None:
    first, second = Scripted("a", eth_call=error), Scripted("b")
    nodes = join(first, second)
    assert nodes.request("eth_call") == "b"
    count = first.asked.count("eth_call")
    assert nodes.request("eth_call") == "b"
    assert first.asked.count("eth_call") == count  # put aside, not asked each time
    first.answers["eth_call"] = "a"
    clock.now += FIRST_PAUSE + 0.1
    assert nodes.request("eth_call") == "a"


def test_the_pause_grows_with_each_failure(join: Join, clock: Clock) -> None:
    first = Scripted("a", eth_call=down())
    nodes = join(first, Scripted("b"))
    waited = []
    for _ in range(3):
        before = first.asked.count("eth_call")
        start = clock.now
        while first.asked.count("eth_call") == before:
            nodes.request("eth_call")
            clock.now += 0.25
        waited.append(clock.now - start)
    assert waited[0] < waited[1] < waited[2]


def test_an_answer_that_is_an_error_is_an_answer(join: Join) -> None:
    first = Scripted("a", eth_call=RpcError("execution reverted", code=3, data=b"\1"))
    second = Scripted("b")
    with pytest.raises(RpcError, match="reverted"):
        join(first, second).request("eth_call")
    assert "eth_call" not in second.asked


@pytest.mark.parametrize(
    "error",
    [
        RpcError("header not found"),
        RpcError("internal error", code=-32603),
        RpcError("missing trie node 12ab"),
        RpcError("the method does not exist", code=METHOD_NOT_FOUND),
    ],
)
def test_a_fault_of_the_node_itself_is_asked_elsewhere(join: Join, error: RpcError) -> None:
    assert join(Scripted("a", eth_call=error), Scripted("b")).request("eth_call") == "b"


def test_a_method_that_nobody_has_is_said_so(join: Join) -> None:
    error = RpcError("no such method", code=METHOD_NOT_FOUND)
    nodes = join(Scripted("a", eth_call=error), Scripted("b", eth_call=error))
    with pytest.raises(RpcError, match="no such method"):
        nodes.request("eth_call")
    assert all(not health.trouble for health in nodes.health())


def test_one_on_another_chain_is_never_used(join: Join, clock: Clock) -> None:
    wrong = Scripted("a", eth_chainId="0x1")
    nodes = join(wrong, Scripted("b"))
    for _ in range(5):
        assert nodes.request("eth_call") == "b"
        clock.now += WRONG_CHAIN_PAUSE / 3
    assert "eth_call" not in wrong.asked
    assert "is on chain 1, but Ethereum Sepolia is chain 11155111" in nodes.health()[0].trouble


def test_the_chain_is_looked_at_again_after_an_error(join: Join, clock: Clock) -> None:
    first = Scripted("a")
    nodes = join(first, Scripted("b"))
    assert nodes.request("eth_call") == "a"
    first.answers["eth_call"] = down()
    assert nodes.request("eth_call") == "b"
    # Behind the same address there is another chain now.
    first.answers.update(eth_call="a", eth_chainId="0x1")
    clock.now += 10
    assert nodes.request("eth_call") == "b"


def test_one_that_lags_is_put_aside_until_it_caught_up(join: Join, clock: Clock) -> None:
    slow = Scripted("a", eth_blockNumber="0x50")
    nodes = join(slow, Scripted("b"))
    assert nodes.request("eth_call") == "b"
    assert "20 blocks behind" in nodes.health()[0].trouble
    slow.answers["eth_blockNumber"] = "0x63"
    clock.now += 16
    assert nodes.request("eth_call") == "a"


def test_all_that_are_well_get_what_is_sent(join: Join) -> None:
    nodes = [
        Scripted("a", eth_sendRawTransaction=down()),
        Scripted("b", eth_sendRawTransaction=RpcError("already known")),
        Scripted("c", eth_sendRawTransaction="0xhash"),
        Scripted("d", eth_sendRawTransaction="0xhash", eth_chainId="0x1"),
    ]
    assert join(*nodes).request("eth_sendRawTransaction", ["0x"]) == "0xhash"
    sent = ["eth_sendRawTransaction" in node.asked for node in nodes]
    assert sent == [True, True, True, False]


def test_what_nobody_took_is_refused_as_the_first_said(join: Join) -> None:
    low = RpcError("nonce too low")
    nodes = join(
        Scripted("a", eth_sendRawTransaction=down()), Scripted("b", eth_sendRawTransaction=low)
    )
    with pytest.raises(RpcError, match="nonce too low"):
        nodes.request("eth_sendRawTransaction", ["0x"])


def test_errors_name_hosts_and_no_keys(join: Join) -> None:
    nodes = join(Scripted("a", eth_call=down()), Scripted("b", eth_call=down()))
    with pytest.raises(ChainError) as refused:
        nodes.request("eth_call")
    said = str(refused.value)
    assert "https://a.example" in said
    assert "https://b.example" in said
    assert "secret" not in said + nodes.host
    assert "none of the 2 nodes of Ethereum Sepolia" in said


def test_where_nobody_is_well_all_are_asked_all_the_same(join: Join) -> None:
    first, second = Scripted("a", eth_call=down()), Scripted("b", eth_call=down())
    nodes = join(first, second)
    with pytest.raises(ChainError):
        nodes.request("eth_call")
    second.answers["eth_call"] = "b"
    assert nodes.request("eth_call") == "b"


def test_pinned_questions_go_to_one_only(join: Join) -> None:
    first, second = Scripted("a"), Scripted("b")
    nodes = join(first, second)
    with nodes.pinned() as node:
        assert node.request("eth_call") == "a"
        first.answers["eth_call"] = down()
        with pytest.raises(ChainError):
            node.request("eth_call")
    with nodes.pinned() as node:
        assert node.request("eth_call") == "b"


def test_one_node_alone_says_what_is_wrong_with_it(join: Join) -> None:
    with pytest.raises(ChainError, match="is on chain 1, but"):
        join(Scripted("a", eth_chainId="0x1")).request("eth_call")
    with (
        pytest.raises(ChainError, match="is on chain 1, but"),
        join(Scripted("a", eth_chainId="0x1")).pinned(),
    ):
        pass


@pytest.mark.parametrize("nonsense", [None, "no number", 5, RpcError("no")])
def test_a_node_that_does_not_know_its_chain_is_refused(join: Join, nonsense: object) -> None:
    with pytest.raises(ChainError, match="which chain"):
        join(Scripted("a", eth_chainId=nonsense)).request("eth_call")


def test_no_node_at_all_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="no node of Ours"):
        Endpoints.reach(Network("ours", "Ours", 1))


def test_real_money_has_to_be_asked_for() -> None:
    with pytest.raises(UsageError, match="--mainnet"):
        Endpoints.reach(network("base"), ["http://127.0.0.1:1"])


def test_addresses_become_nodes() -> None:
    nodes = Endpoints.reach(SEPOLIA, ["http://127.0.0.1:1/key", Scripted("b")])
    assert nodes.host == "http://127.0.0.1:1, https://b.example"
