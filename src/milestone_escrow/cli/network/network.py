"""`escrow network`: the table of networks, and whether a node is what it should be."""

from __future__ import annotations

import click

from milestone_escrow.cli.shell.options import probes, speaks
from milestone_escrow.cli.shell.session import Session


@click.group(short_help="List, check and add networks.")
def network() -> None:
    """List, check and add networks.

    \b
    Examples:
      escrow network list
      escrow network check sepolia
    """


@network.command("list", short_help="Show every network that is known.")
@speaks
def list_(session: Session) -> None:
    """Show every network that is known, with its chain id and tokens.

    \b
    Examples:
      escrow network list
      escrow network list --json
    """
    from milestone_escrow.cli.network.networking import list_networks

    list_networks(session)


@network.command(short_help="Show what is known about one network.")
@click.argument("name")
@speaks
def show(session: Session, name: str) -> None:
    """Show what is known about one network: node, explorer, tokens, fees, the contract's address.

    \b
    Examples:
      escrow network show sepolia
      escrow network show base-sepolia --json
    """
    from milestone_escrow.cli.network.networking import show_network

    show_network(session, name)


@network.command(short_help="Add a network of your own.")
@click.argument("name")
@click.option(
    "--rpc", "node", required=True, metavar="URL", help="Its node, which is asked for the rest."
)
@click.option("--title", help="What people call it.")
@click.option("--coin", default="ETH", show_default=True, help="What pays for gas.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="ADDRESS",
    help="A token; the node says its symbol and decimals. May be repeated.",
)
@click.option("--explorer", metavar="URL", help="Where people look at transactions.")
@click.option(
    "--verify",
    "apis",
    multiple=True,
    metavar="KIND=URL",
    help="An explorer's API: etherscan, blockscout or sourcify. May be repeated.",
)
@click.option("--legacy", is_flag=True, help="It knows a gas price only, no base fee.")
@click.option("--cap", metavar="GWEI", help="The most to pay for a unit of gas unasked.")
@click.option(
    "--confirmations",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Blocks that a deployment waits for; 0 waits for finality.",
)
@click.option("--main", is_flag=True, help="Its money is real.")
@speaks
def add(
    session: Session,
    name: str,
    node: str,
    title: str | None,
    coin: str,
    tokens: tuple[str, ...],
    explorer: str | None,
    apis: tuple[str, ...],
    legacy: bool,
    cap: str | None,
    confirmations: int,
    main: bool,
) -> None:
    """Add a network of your own. Its node is asked for the chain id, and for each token's symbol
    and decimals. It is kept in `networks.toml` in the state folder, which you may edit.

    \b
    Examples:
      escrow network add devnet --rpc http://10.0.0.7:8545
      escrow network add gnosis --rpc https://rpc.gnosischain.com --coin xDAI --main
    """
    from milestone_escrow.cli.network.networking import Added, add_network

    add_network(
        session,
        Added(name, node, title, coin, tokens, explorer, apis, legacy, cap, confirmations, main),
    )


@network.command(short_help="Ask a network's node whether it is what it should be.")
@click.argument("name")
@probes
def check(session: Session, name: str) -> None:
    """Ask a network's node whether it is what it should be: its chain, how old its latest block
    is, what its machine can do, what gas costs, and what its tokens are.

    \b
    Examples:
      escrow network check sepolia
      escrow network check base-sepolia --rpc https://node.example
    """
    from milestone_escrow.cli.network.networking import check_network

    check_network(session, name)
