"""`escrow deploy`: the contract on a network."""

from __future__ import annotations

import click

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.options import sends


@click.command(short_help="Put the escrow contract on a network.")
@click.option("--again", is_flag=True, help="Even where one is recorded already.")
@sends
def deploy(session: Session, again: bool) -> None:
    """Put the escrow contract on a network, once for everybody who will use it there.

    Nobody administers it afterwards, not even who deployed it. Where it is will be recorded in
    the state folder. The sandbox has one already.

    \b
    Examples:
      escrow deploy --network anvil --as treasury --dry-run
      escrow deploy --network sepolia --as treasury --rpc https://node.example
    """
    from milestone_escrow.cli.deploying import deploy_contract

    deploy_contract(session, again)
