"""The contract and test USDC put on an embedded chain, always at the same two addresses."""

from __future__ import annotations

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import network
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.devchain import SANDBOX_OPERATOR


def install(chain: EmbeddedChain) -> Network:
    """Deploy both as the operator's first transactions; returns the network that has them.

    Raises:
        ChainError: the operator has used the account for something else before.
    """
    known = network("embedded")
    wanted = {"MilestoneEscrow": known.contract, "TestUSDC": known.token("USDC").address}
    for name, address in wanted.items():
        place = bytes.fromhex(address[2:])
        if chain.state().get_code(place):
            continue
        if chain.send_from(SANDBOX_OPERATOR, b"", load(name).bytecode).created != place:
            raise ChainError(
                f"{name} cannot be installed at {address}: its operator has sent other "
                "transactions before",
                hint="install on a fresh chain",
            )
    return known
