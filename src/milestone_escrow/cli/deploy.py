"""`escrow deploy`: the contract on a network."""

from __future__ import annotations

import click

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.options import sends


@click.command(short_help="Put the escrow contract on a network.")
@click.option("--again", is_flag=True, help="Even where one is recorded already.")
@click.option("--test-token", is_flag=True, help="And a test USDC that anybody can mint.")
@sends
def deploy(session: Session, again: bool, test_token: bool) -> None:
    """Put the escrow contract on a network, once for everybody who will use it there.

    Nobody administers it afterwards, not even who deployed it. Where it is will be recorded in
    the state folder. The sandbox has one already.

    A chain of your own, Anvil for example, has no USDC either: --test-token brings one, with
    10,000,000 for the key that deploys it.

    \b
    Examples:
      escrow deploy --network anvil --test-token --as treasury
      escrow deploy --network sepolia --as treasury --rpc https://node.example --dry-run
    """
    from milestone_escrow.cli.deploying import deploy_contract

    deploy_contract(session, again=again, test_token=test_token)
