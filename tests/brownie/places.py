"""The two chains that scripts are tried on: Brownie's own, and one that looks like Sepolia."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
from brownie import network, web3
from brownie._config import CONFIG

from milestone_escrow.chain.node.rpc import Node, Web3Node
from tests.support.sepolia import dress, sepolia


@dataclass(frozen=True)
class Place:
    """A chain that Brownie is connected to, with USDC; `network` is its name in the package."""

    network: str
    node: Node

    def nonce(self, account: str) -> int:
        """How many transactions an account has sent."""
        return int(self.node.request("eth_getTransactionCount", [account, "latest"]), 16)


@contextmanager
def development(code: Mapping[str, str]) -> Iterator[Place]:
    """Brownie's Anvil, with the same USDC at the same address."""
    dress(Web3Node(web3), code)
    yield Place("anvil", Web3Node(web3))


@contextmanager
def sepolia_shaped(code: Mapping[str, str]) -> Iterator[Place]:
    """Brownie's network `sepolia`, whose host is an Anvil for as long as this lasts."""
    with sepolia(code) as anvil, connected_to(anvil.url):
        yield Place("sepolia", anvil.node)


@contextmanager
def connected_to(host: str, name: str = "sepolia") -> Iterator[None]:
    """Brownie on one of its live networks with another host; afterwards back on its own chain."""
    kept = CONFIG.networks[name]
    CONFIG.networks[name] = {**kept, "host": host}
    network.disconnect(kill_rpc=False)
    network.connect(name)
    try:
        yield
    finally:
        CONFIG.networks[name] = kept
        if network.is_connected():  # a host that is down never was
            network.disconnect(kill_rpc=False)
        network.connect("development", launch_rpc=False)


PLACES: Mapping[str, Callable[[Mapping[str, str]], AbstractContextManager[Place]]] = {
    "development": development,
    "sepolia": sepolia_shaped,
}


def use_a_port_of_ones_own() -> None:
    """Whatever runs at Brownie's usual port is somebody else's, and Brownie would attach to it."""
    CONFIG.networks["development"]["cmd_settings"]["port"] = free_port()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuses(sentence: str, script: Callable[..., object], *arguments: str) -> None:
    """The script ends with one sentence, in which there is this."""
    with pytest.raises(SystemExit) as stopped:
        script(*arguments)
    message = str(stopped.value)
    assert message.startswith("Error: ")
    assert sentence in message
    assert "\n" not in message
