"""`escrow network`: the table of networks, and whether a node is what it should be."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import click

from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.options import probes, speaks
from milestone_escrow.cli.shell.output import bad, bold, command, dim, good, table, waiting
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.deploy.readiness import Finding, Holder
    from milestone_escrow.chain.node.network import ExplorerApi, Network
    from milestone_escrow.chain.node.rpc import Node
    from milestone_escrow.protocol.token import Token


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
    from milestone_escrow.chain.node.networks import networks

    known = networks(session.home.root).values()
    rows = [
        (
            net.name,
            net.title + (f" {waiting('real money')}" if net.main else ""),
            str(net.chain_id),
            ", ".join(token.symbol for token in net.tokens) or dim("none"),
        )
        for net in known
    ]
    session.say(table(rows, ("network", "", "chain id", "tokens"), right=(2,)))
    session.say(f"\nMore about one:\n  {command('escrow network show sepolia')}")
    session.emit({"networks": [as_json(session, net) for net in known]})


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
    from milestone_escrow.chain.node.networks import network
    from milestone_escrow.chain.send.fees import gwei

    net = network(name, session.home.root)
    body = as_json(session, net)
    final = "until the node calls the block final"
    depth = f"{net.confirmations} block{'s' if net.confirmations != 1 else ''}"
    rows = [
        ("chain id", str(net.chain_id)),
        ("money", "real" if net.main else "worth nothing"),
        ("node", _without_keys(net.rpc) or "none; name one with --rpc"),
        ("explorer", net.explorer or "none"),
        *((f"  {api.kind}", _without_keys(api.url)) for api in net.verify),
        ("contract", str(body["contract"]) + ("" if body["recorded"] else ", once deployed")),
        *((token.symbol, f"{token.address}, {token.decimals} decimals") for token in net.tokens),
        ("gas", f"in {net.coin}, at most {gwei(net.max_fee)} unasked, {net.fees}"),
        *([("data fee", net.data_fee)] if net.data_fee else []),
        ("waits", depth if net.confirmations else final),
        *([("faucet", net.faucet)] if net.faucet else []),
    ]
    session.say(bold(f"{net.title} ({net.name})"))
    session.say(table(rows))
    session.emit(body)


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
@click.option("--local", is_flag=True, help="A chain of your own, which has a time of its own.")
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
    local: bool,
) -> None:
    """Add a network of your own. Its node is asked for the chain id, and for each token's symbol
    and decimals. It is kept in `networks.toml` in the state folder, which you may edit.

    \b
    Examples:
      escrow network add devnet --rpc http://10.0.0.7:8545 --local
      escrow network add gnosis --rpc https://rpc.gnosischain.com --coin xDAI --main
    """
    add_network(
        session,
        Added(
            name,
            node,
            title,
            coin,
            tokens,
            explorer,
            apis,
            legacy,
            cap,
            confirmations,
            main,
            local,
        ),
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
    from milestone_escrow.chain.deploy.readiness import examine_network
    from milestone_escrow.chain.node.networks import network, require_allowed

    net = network(name, session.home.root)
    require_allowed(net, session.mainnet)
    endpoint = session.endpoint(net)
    report(
        session,
        net,
        examine_network(net, endpoint, now=int(time.time()), mainnet=session.mainnet),
    )


USER_FILE = "networks.toml"


_LONGEST_OPEN_PART = 16


@dataclass(frozen=True, slots=True)
class Added:
    """What somebody says about a network that is to be added."""

    name: str
    rpc: str
    title: str | None
    coin: str
    tokens: tuple[str, ...]
    explorer: str | None
    apis: tuple[str, ...]
    legacy: bool
    cap: str | None
    confirmations: int
    main: bool
    local: bool


def as_json(session: Session, net: Network) -> dict[str, object]:
    """A network for machines; prices in wei, access keys left out."""
    from milestone_escrow.chain.deploy.deploying import contract_address
    from milestone_escrow.chain.deploy.deployments import read_deployment

    recorded = read_deployment(net, session.home.root)
    return {
        "name": net.name,
        "title": net.title,
        "chain_id": net.chain_id,
        "main": net.main,
        "rpc": _without_keys(net.rpc),
        "explorer": net.explorer,
        "verify": {api.kind: _without_keys(api.url) for api in net.verify},
        "coin": net.coin,
        "tokens": {t.symbol: {"address": t.address, "decimals": t.decimals} for t in net.tokens},
        "contract": recorded.address if recorded else contract_address(net),
        "recorded": bool(recorded or net.contract),
        "fees": net.fees,
        "max_fee": str(net.max_fee),
        "min_tip": str(net.min_tip),
        "data_fee": net.data_fee,
        "confirmations": net.confirmations,
        "deployer": net.deployer,
        "faucet": net.faucet,
    }


def add_network(session: Session, added: Added) -> None:
    """Ask the node, and write the network into the state folder's own table.

    Raises:
        UsageError: the name is taken or no name, or an option makes no sense.
        ChainError: the node does not answer, or a token is none.
    """
    from milestone_escrow.chain.node.network import USUAL_CAP, Network
    from milestone_escrow.chain.node.network_file import read_gwei, write_network
    from milestone_escrow.chain.node.networks import networks
    from milestone_escrow.chain.node.probes import require_honest, said_chain_id
    from milestone_escrow.chain.node.rpc import HttpNode

    known = networks(session.home.root)
    if added.main and added.local:
        raise UsageError("a chain of your own holds no real money", hint="keep --main or --local")
    if added.name in known:
        raise UsageError(
            f"there is a network '{added.name}' already",
            hint=f"choose another name, or change it in {session.home.root / USER_FILE}",
        )
    node = HttpNode(added.rpc)
    net = Network(
        name=added.name,
        title=added.title or added.name.capitalize(),
        chain_id=said_chain_id(node),
        rpc=added.rpc,
        explorer=(added.explorer or "").rstrip("/"),
        coin=added.coin,
        main=added.main,
        local=added.local,
        fees="legacy" if added.legacy else "eip1559",
        max_fee=read_gwei(added.cap, "--cap") if added.cap else USUAL_CAP,
        confirmations=added.confirmations,
        verify=tuple(_api(text) for text in added.apis),
    )
    require_honest(node, net)
    for address in added.tokens:
        net = net.with_token(_token(node, address))
    own = session.home.root / USER_FILE
    text = own.read_text("utf-8") if own.is_file() else ""
    write(own, f"{text}\n{write_network(net)}".lstrip())
    session.say(f"{good('Added')} {bold(net.name)}, chain {net.chain_id}, in {own}.")
    for token in net.tokens:
        session.say(f"  {token.symbol}: {token.address}, {token.decimals} decimals")
    twins = [k.name for k in known.values() if k.chain_id == net.chain_id]
    if twins:
        session.say(f"The same chain is known as {', '.join(twins)}, too.")
    session.say(f"\nNext\n  see whether it can run the contract:\n    {_check(net)}")
    session.emit(as_json(session, networks(session.home.root)[net.name]))


def diagnose(session: Session, symbol: str) -> None:
    """Everything that must be right; status 1 where something is not."""
    from milestone_escrow.chain.deploy.readiness import examine
    from milestone_escrow.chain.node.networks import network, require_allowed

    net = network(session.network or SANDBOX, session.home.root)
    require_allowed(net, session.mainnet)
    endpoint = session.endpoint(net)
    findings = examine(
        net,
        endpoint,
        _holders(session, net),
        now=int(time.time()),
        symbol=symbol,
        mainnet=session.mainnet,
        state=session.home.root,
    )
    report(session, net, findings)


def report(session: Session, net: Network, findings: Iterable[Finding]) -> None:
    """Each finding as it comes: ok, or with its fix."""
    session.say(bold(net.title))
    seen: list[Finding] = []
    for finding in findings:
        seen.append(finding)
        mark = good("ok ") if finding.ok else bad("no ")
        session.say(f"  {mark}  {finding.what}: {finding.says}")
        if finding.fix:
            session.say(f"       {finding.fix}")
    wrong = [finding for finding in seen if not finding.ok]
    session.exit_status = 1 if wrong else 0
    if wrong:
        count = "One thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        session.say(f"\n{bad(f'{count} not right yet')}; put it right and run this again.")
    else:
        session.say(f"\n{good('Everything is right.')}")
    session.emit(
        {
            "network": net.name,
            "ok": not wrong,
            "findings": [{"what": f.what, "ok": f.ok, "says": f.says, "fix": f.fix} for f in seen],
        }
    )


def _holders(session: Session, net: Network) -> list[Holder]:
    from milestone_escrow.chain.deploy.readiness import Holder
    from milestone_escrow.cli.shell.signers import own_keys

    keys = own_keys(session, net.chain_id)
    if session.signer_name:
        keys = [key for key in keys if key.name == session.signer_name]
        if not keys:
            raise UsageError(
                f"there is no key '{session.signer_name}' here",
                hint="`escrow key list` shows which there are",
            )
    return [Holder(key.name, key.account) for key in keys]


def _token(node: Node, text: str) -> Token:
    from milestone_escrow.chain.node.network_file import read_address
    from milestone_escrow.chain.node.probes import inspect_token

    return inspect_token(node, read_address(text, "--token"))


def _api(text: str) -> ExplorerApi:
    from milestone_escrow.chain.node.network import ExplorerApi
    from milestone_escrow.chain.node.network_file import EXPLORERS

    kind, _, url = text.partition("=")
    if kind not in EXPLORERS or not url.startswith(("http://", "https://")):
        raise UsageError(
            f"--verify takes KIND=URL, not '{text}'", hint=f"KIND is {', '.join(EXPLORERS)}"
        )
    return ExplorerApi(kind, url)


def _check(net: Network) -> str:
    return command(f"escrow network check {net.name}{' --mainnet' if net.main else ''}")


def _without_keys(url: str) -> str:
    """An address as it may be shown: nodes' addresses carry access keys."""
    parts = urlsplit(url)
    path = "/".join(
        part if len(part) < _LONGEST_OPEN_PART else "…" for part in parts.path.split("/")
    )
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, path, "…" if parts.query else "", ""))
