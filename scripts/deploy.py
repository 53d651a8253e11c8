"""Deploy the contract: brownie run scripts/deploy.py main [ACCOUNT] --network NAME

It lies at one address on every network. Safe to run twice, and to run again after an interruption.
"""

from __future__ import annotations

from brownie import web3

from milestone_escrow.chain.deploy.deploying import (
    affordable,
    contract_address,
    deploy,
    plan_deployment,
)
from milestone_escrow.chain.deploy.deployments import Deployment
from milestone_escrow.chain.node.connection import reach
from milestone_escrow.chain.node.probes import has_code
from milestone_escrow.chain.send.fees import coins
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from scripts.here import account, ask, connected, mainnet, state, told


@told
def main(account_name: str = "") -> Deployment:
    """Deploy, wait for confirmations, check the code on chain, and record where it is."""
    network = connected()
    node = reach(network, web3, mainnet=mainnet())
    # Where it is already, that is checked and recorded, and no account is asked for.
    signer = None if has_code(node, contract_address(network)) else account(account_name)
    sender = signer.address if signer else ZERO_ADDRESS
    plan = plan_deployment(node, network, sender, state=state())
    if plan.is_there:
        print(f"{network.title} has the contract already, at {plan.address}: nothing to send")
    elif plan.pending:
        print(f"an earlier run sent {plan.pending.hash}: waiting for it, nothing else is sent")
    else:
        print(f"deploy the escrow contract to {network.title} as {sender}")
        print(f"  at {plan.address}, where it lies on every network")
        print(f"  {affordable(plan)}")
        print("  nobody administers it afterwards; it is unaudited")
        if plan.lacks:
            raise EscrowError(
                f"{sender} has {coins(plan.lacks, network.coin)} too little for gas",
                hint="send it some" + (f", from {network.faucet}" if network.faucet else ""),
            )
        ask()
    made = deploy(node, plan, signer, [state()], tell=lambda sent: print(f"sent {sent}"))
    print(f"Checked on chain: the contract is at {made.address}, code hash {made.code_hash}.")
    if link := network.link("address", made.address):
        print(link)
    return made
