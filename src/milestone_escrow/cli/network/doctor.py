"""`escrow doctor`: everything that must be right before money moves."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import examines
from milestone_escrow.cli.shell.session import Session


@click.command(short_help="Check everything before money moves.")
@click.option(
    "--token", "symbol", default="USDC", show_default=True, help="What the deal is paid in."
)
@examines
def doctor(session: Session, symbol: str) -> None:
    """Check everything that must be right on a network before money moves: the node, its chain,
    how old its latest block is, what gas costs, the contract, the token, your keys and what they
    can pay for. Each line is ok, or says what to do.

    \b
    Examples:
      escrow doctor --network sepolia
      escrow doctor --network sepolia --as treasury
    """
    from milestone_escrow.cli.network.network import diagnose

    diagnose(session, symbol)
