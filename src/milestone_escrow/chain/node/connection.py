"""From a network's name to a node that is really on that network."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import require_allowed
from milestone_escrow.chain.node.rpc import HttpNode, Node, Web3Node
from milestone_escrow.errors import ChainError, UsageError

Endpoint: TypeAlias = "str | Node | Any"
"""A URL, a `Node`, or a `Web3` object (or web3 provider) that is set up already."""


def reach(network: Network, rpc: Endpoint | None = None, *, mainnet: bool = False) -> Node:
    """The network's node, or the one at `rpc`.

    Raises:
        UsageError: a main network without `mainnet`, or no address is known.
        ChainError: the node does not answer, or is on another chain.
    """
    require_allowed(network, mainnet)
    if rpc is None and not network.rpc:
        raise UsageError(f"no node of {network.title} is known", hint="name one with --rpc")
    node = as_node(rpc or network.rpc)
    answer = node.request("eth_chainId")
    try:
        chain_id = int(answer, 16)
    except (TypeError, ValueError):
        raise ChainError("the node does not say which chain it is on") from None
    if chain_id != network.chain_id:
        raise ChainError(
            f"the node is on chain {chain_id}, but {network.title} is chain {network.chain_id}",
            hint="name the right network, or another node with --rpc",
        )
    return node


def as_node(rpc: Endpoint) -> Node:
    """Whatever answers at an endpoint, unasked."""
    if isinstance(rpc, str):
        return HttpNode(rpc)
    return cast(Node, rpc) if hasattr(rpc, "request") else Web3Node(rpc)
