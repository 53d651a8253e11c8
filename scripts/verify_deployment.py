"""Check what is on chain: brownie run scripts/verify_deployment.py main [ADDRESS] --network NAME

It needs no account and sends nothing.
"""

from __future__ import annotations

from brownie import web3

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.deploy.deploying import contract_address
from milestone_escrow.chain.deploy.deployments import (
    CONTRACT,
    code_hash,
    read_deployment,
    verify_contract,
)
from milestone_escrow.chain.node.connection import reach
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Domain
from scripts.here import connected, mainnet, state, told


@told
def main(address: str = "") -> str:
    """Compare the code at `address`, by default the recorded one, with what the package compiled;
    its immutables say for which chain and address it checks signatures."""
    network = connected()
    node = reach(network, web3, mainnet=mainnet())
    recorded = read_deployment(network, state())
    at = address or (recorded.address if recorded else contract_address(network))
    print(f"verify {at} on {network.title}; nothing is sent")
    domain = Domain(network.chain_id, at)
    code = verify_contract(node, domain)
    print(f"  code        ok, {len(code):,} bytes as compiled by {load(CONTRACT).compiler}")
    print(f"  signatures  ok, for {domain.name} {domain.version} on chain {domain.chain_id}")
    if recorded and recorded.address == at:
        if recorded.code_hash != code_hash(code):
            raise ChainError(f"another code was recorded at {at}", hint="deploy it again")
        print(f"  record      ok, deployed in block {recorded.block:,}")
    same = "the same as on every network" if at == contract_address(network) else "of its own"
    print(f"  address     {same}")
    return at
