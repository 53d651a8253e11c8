"""`escrow tx`: transactions that are stuck."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell import boundary
from milestone_escrow.cli.shell.options import replaces
from milestone_escrow.cli.shell.output import bold, dim, good, waiting
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.cli.shell.signers import choose_account
from milestone_escrow.cli.shell.unsigned import hand_over


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
    replace_transaction(session, transaction, cancel=True)


def replace_transaction(session: Session, text: str, *, cancel: bool) -> None:
    """Look whether it waits, say what will be sent, ask, send, and say which of both was mined."""
    from milestone_escrow.chain.node.connection import reach
    from milestone_escrow.chain.node.networks import network
    from milestone_escrow.chain.send.fees import coins, gwei
    from milestone_escrow.chain.send.replacement import (
        find_waiting,
        prepare_replacement,
        replace_waiting,
    )

    net = network(session.network or SANDBOX, session.home.root)
    node = reach(net, session.endpoint(net), mainnet=session.mainnet)
    found = find_waiting(node, net, text.rstrip("/").rpartition("/")[2])
    prepared = prepare_replacement(node, net, found, cancel=cancel, bid=session.bid)
    signer = choose_account(session, net.chain_id, found.sender)
    session.say(bold(f"{prepared.verb} {found.hash} on {net.title} as {found.sender}"))
    session.say(
        f"  it waits with nonce {found.nonce} and offers {gwei(found.price.max_fee)}; this offers "
        f"{gwei(prepared.max_fee_per_gas)}"
    )
    what = "sends nothing to yourself instead" if cancel else "does the same"
    session.say(f"  {what}, for at most {coins(prepared.max_cost, net.coin)}")
    facts: dict[str, object] = {
        "network": net.name,
        "replaces": found.hash,
        "account": found.sender,
        "nonce": found.nonce,
        "max_fee": str(prepared.max_fee_per_gas),
    }
    if session.unsigned:
        hand_over(session, net, [prepared], facts, name=prepared.verb, nonce=found.nonce)
        return
    if session.dry_run:
        session.say(f"\n{waiting('Nothing was sent')}: this was a dry run.")
        session.emit({**facts, "sent": False})
        return
    session.say()
    session.confirm("Go ahead?")
    boundary.sending()
    done = replace_waiting(node, net, found, prepared, signer)
    session.say(f"{good('mined')}  {done.transaction}  {dim(f'{done.gas_used:,} gas')}")
    if done.is_replacement:
        session.say("The first one will not be mined any more.")
    else:
        session.say(f"The first one was faster: nothing was {'cancelled' if cancel else 'changed'}")
    if not done.succeeded:
        session.say(f"{waiting('It failed')}: the contract refused it, and only gas was paid.")
    if link := net.link("tx", done.transaction):
        session.say(dim(link))
    session.emit(
        {
            **facts,
            "sent": True,
            "transaction": done.transaction,
            "block": done.block,
            "is_replacement": done.is_replacement,
            "succeeded": done.succeeded,
        }
    )
    session.exit_status = 0 if done.succeeded and (done.is_replacement or not cancel) else 1
