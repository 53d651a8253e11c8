"""`escrow tx`: transactions that are stuck."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import replaces
from milestone_escrow.cli.shell.session import Session


@click.group(short_help="Replace a transaction that is stuck.")
def tx() -> None:
    """Replace a transaction that no block takes, because it offers too little for gas.

    \b
    Examples:
      escrow tx speed-up tx/0x5c50… --network sepolia
      escrow tx cancel tx/0x5c50… --network sepolia
    """


@tx.command("speed-up", short_help="Send it again at a better price.")
@click.argument("transaction", metavar="HASH")
@replaces
def speed_up(session: Session, transaction: str) -> None:
    """Send a transaction again, with the same nonce and at a better price; one of the two is mined.

    HASH is the hash of a transaction that was sent from here, or tx/HASH, or an explorer's address
    that ends in that.

    \b
    Examples:
      escrow tx speed-up tx/0x5c50… --network sepolia
      escrow tx speed-up https://sepolia.etherscan.io/tx/0x5c50… --network sepolia --max-fee 30
    """
    from milestone_escrow.cli.send.replacing import replace_transaction

    replace_transaction(session, transaction, cancel=False)


@tx.command(short_help="Send nothing in its place.")
@click.argument("transaction", metavar="HASH")
@replaces
def cancel(session: Session, transaction: str) -> None:
    """Send nothing to yourself with the same nonce and at a better price, so that the transaction
    is never mined; if it is all the same, this says so.

    \b
    Examples:
      escrow tx cancel tx/0x5c50… --network sepolia
      escrow tx cancel tx/0x5c50… --network base-sepolia --as treasury --dry-run
    """
    from milestone_escrow.cli.send.replacing import replace_transaction

    replace_transaction(session, transaction, cancel=True)
