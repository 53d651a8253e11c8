"""Deploy the contract: brownie run scripts/deploy.py main [ACCOUNT] --network NAME

It lies at one address on every network. Safe to run twice, and to run again after an interruption.
"""

from __future__ import annotations

from brownie import web3

from milestone_escrow.chain.connection import reach
from milestone_escrow.chain.deploying import affordable, deploy, plan_deployment
from milestone_escrow.chain.deployments import Deployment
from milestone_escrow.errors import EscrowError
from scripts.here import account, ask, connected, mainnet, state, told


@told
def main(account_name: str = "") -> Deployment:
    """Deploy, wait for confirmations, check the code on chain, and record where it is."""
    network = connected()
    node = reach(network, web3, mainnet=mainnet())
    signer = account(account_name)
    plan = plan_deployment(node, network, signer.address, state=state())
    if plan.is_there:
        print(f"{network.title} has the contract already, at {plan.address}: nothing to send")
    elif plan.pending:
        print(f"an earlier run sent {plan.pending.hash}: waiting for it, nothing else is sent")
    else:
        print(f"deploy the escrow contract to {network.title} as {signer.address}")
        print(f"  at {plan.address}, where it lies on every network")
        print(f"  {affordable(plan)}")
        print("  nobody administers it afterwards; it is unaudited")
        if plan.lacks:
            coin = network.faucet or f"send it some {network.coin}"
            raise EscrowError(f"{signer.address} has too little {network.coin}", hint=coin)
        ask()
    made = deploy(node, plan, signer, [state()], tell=lambda sent: print(f"sent {sent}"))
    print(f"Checked on chain: the contract is at {made.address}, code hash {made.code_hash}.")
    if link := network.link("address", made.address):
        print(link)
    return made
