"""`escrow deploy`: the contract on a network."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Put the escrow contract on a network.")
@click.option("--verify", is_flag=True, help="And give its sources to the network's explorers.")
@click.option("--deployer", is_flag=True, help="First put the deterministic deployer there.")
@click.option("--test-token", is_flag=True, help="And a test USDC that anybody can mint.")
@sends
def deploy(session: Session, verify: bool, deployer: bool, test_token: bool) -> None:
    """Put the escrow contract on a network, once for everybody who will use it there.

    It has one address on every network, whoever deploys it, and nobody administers it afterwards.
    Where it is there already, that is checked and recorded, and nothing is sent; where an earlier
    run was interrupted, this one goes on from there. It is recorded in the state folder, and in
    `deployments/` of the working folder if there is one.

    Etherscan wants an access key, in ETHERSCAN_API_KEY; the others do not.

    A chain of your own, Anvil for example, has no USDC either: --test-token brings one, with
    10,000,000 for the key that deploys it.

    \b
    Examples:
      escrow deploy --network sepolia --as treasury --dry-run
      escrow deploy --network sepolia --as treasury --verify
      escrow deploy --network anvil --test-token --as treasury
    """
    from milestone_escrow.cli.network.deploying import deploy_contract

    deploy_contract(session, verify=verify, deployer=deployer, test_token=test_token)
