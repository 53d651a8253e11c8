"""Everything that must be right before money moves on a network, each with its fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from milestone_escrow.chain.contract.token_support import has_separator, read_support
from milestone_escrow.chain.contract.tokens import balance_of, read_refusal, read_stops
from milestone_escrow.chain.deploy.deploying import contract_address, require_deployer
from milestone_escrow.chain.deploy.deployments import read_deployment, verify_contract
from milestone_escrow.chain.node.connection import Endpoint, reach
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.probes import (
    has_code,
    head,
    inspect_token,
    require_features,
    require_honest,
    require_recent,
)
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.send.fees import coins, gwei, price_now
from milestone_escrow.documents.money import format_amount
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, Domain
from milestone_escrow.protocol.token import Token

# Opening an agreement and funding a few milestones, an allowance included.
GAS_FOR_A_DEAL = 300_000
FAUCET = "https://faucet.circle.com"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` is empty where it is right; a `note` need not be."""

    what: str
    says: str
    fix: str = ""
    is_note: bool = False

    @property
    def ok(self) -> bool:
        return not self.fix or self.is_note


@dataclass(frozen=True, slots=True)
class Holder:
    """A key whose account is looked at."""

    name: str
    account: Address


def examine_network(
    network: Network, rpc: Endpoint | None, *, now: int, mainnet: bool = False
) -> Iterator[Finding]:
    """What a node says of itself: chain, head, machine, fees, tokens."""
    node, finding = _reached(network, rpc, mainnet)
    yield finding
    if node is None:
        return
    yield from _node(node, network, now)
    for token in network.tokens:
        yield _looked(token.symbol, partial(_token, node, network, token))
        yield from stopped(node, token, _address(network, None))


def examine(
    network: Network,
    rpc: Endpoint | None,
    holders: Sequence[Holder],
    *,
    now: int,
    symbol: str = "USDC",
    mainnet: bool = False,
    state: Path | None = None,
) -> Iterator[Finding]:
    """Everything, in the order in which it is put right; without a node nothing else is asked."""
    node, finding = _reached(network, rpc, mainnet)
    yield finding
    if node is None:
        return
    yield from _node(node, network, now)
    yield _looked("contract", lambda: _contract(node, network, state))
    token = next((t for t in network.tokens if t.symbol.upper() == symbol.upper()), None)
    if token:
        yield _looked(token.symbol, lambda: _token(node, network, token))
        yield from stopped(node, token, _address(network, state), holders)
    else:
        fix = f"`escrow network add` another table for it, with --token {symbol}=ADDRESS"
        yield Finding(symbol, f"no {symbol} is known on {network.title}", fix)
    if not holders:
        yield Finding("key", "there is no key here", "make one with `escrow key new NAME`")
    for holder in holders:
        yield from _holder(node, network, holder, token)


def _reached(network: Network, rpc: Endpoint | None, mainnet: bool) -> tuple[Node | None, Finding]:
    try:
        node = reach(network, rpc, mainnet=mainnet)
    except EscrowError as error:
        return None, Finding("node", error.message, error.hint or "name another with --rpc")
    host = str(getattr(node, "host", "in this process"))
    return node, Finding("node", f"{host} answers, on chain {network.chain_id}")


def _node(node: Node, network: Network, now: int) -> Iterator[Finding]:
    yield _looked("chain", lambda: _honest(node, network))
    yield _looked("head", lambda: _head(node, network, now))
    yield _looked("machine", lambda: _machine(node, network))
    yield _looked("gas", lambda: f"{gwei(price_now(node, network).expected)} now")


def _looked(what: str, look: Callable[[], str | Finding]) -> Finding:
    try:
        found = look()
    except EscrowError as error:
        return Finding(what, error.message, error.hint or "try again, or name a node with --rpc")
    return found if isinstance(found, Finding) else Finding(what, found)


def _honest(node: Node, network: Network) -> str:
    require_honest(node, network)
    return f"its machine works on chain {network.chain_id}, too"


def _head(node: Node, network: Network, now: int) -> str:
    found = head(node)
    require_recent(found, network, now)
    if network.local:
        return f"block {found.number:,}; it has a time of its own"
    return f"block {found.number:,}, {max(now - found.time, 0)} seconds old"


def _machine(node: Node, network: Network) -> str:
    require_features(node, network)
    return "has PUSH0, transient storage and MCOPY"


def _address(network: Network, state: Path | None) -> Address:
    recorded = read_deployment(network, state)
    return recorded.address if recorded else contract_address(network)


def _contract(node: Node, network: Network, state: Path | None) -> str | Finding:
    recorded, address = read_deployment(network, state), _address(network, state)
    if has_code(node, address):
        verify_contract(node, Domain(network.chain_id, address))
        if recorded or network.contract:
            return f"is at {address}, byte for byte this version's"
        fix = f"record it with `escrow deploy --network {network.name}`"
        return Finding("contract", f"is at {address}, but not recorded here", fix)
    require_deployer(node, network)
    fix = f"`escrow deploy --network {network.name}`"
    return Finding("contract", f"is not there yet; it will be at {address}", fix)


def _token(node: Node, network: Network, token: Token) -> str:
    said = inspect_token(node, token.address)
    if (said.symbol, said.decimals) != (token.symbol, token.decimals):
        raise EscrowError(
            f"the token at {token.address} says that it is {said.symbol} with {said.decimals} "
            f"decimals, not {token.symbol} with {token.decimals}",
            hint=f"correct [{network.name}.tokens] in your networks.toml",
        )
    support = read_support(node, network.chain_id, token.address, ZERO_ADDRESS)
    extras = [("permit", support.permit), ("ERC-3009", support.authorization)]
    has = [name for name, there in extras if there]
    lacks = [name for name, there in extras if not there]
    words = [f"with {' and '.join(has)}"] if has else []
    words += [f"without {' and '.join(lacks)}"] if lacks else []
    found = f"{token.address}, {token.decimals} decimals, {', '.join(words)}"
    hides = support.domain is None and has_separator(node, token.address)
    return f"{found}: its signing domain has a form that is not known here" if hides else found


def stopped(
    node: Node, token: Token, contract: Address, holders: Sequence[Holder] = ()
) -> Iterator[Finding]:
    """What the token's issuer has stopped, if anything."""
    accounts = (contract, *(holder.account for holder in holders))
    try:
        stops = read_stops(node, token.address, dict.fromkeys(accounts))
        said = "" if stops else read_refusal(node, token.address, contract)
    except EscrowError as error:
        fix = error.hint or "try again, or name a node with --rpc"
        yield Finding(token.symbol, f"whether it is stopped: {error.message}", fix)
        return
    if stops.everything:
        fix = "wait until they are resumed: until then nothing can be paid in or out"
        yield Finding(token.symbol, "its issuer has paused all transfers", fix)
    if contract in stops.accounts:
        fix = "no other account helps: ask the issuer, and agree on another token"
        yield Finding(token.symbol, f"its issuer has denylisted the contract, {contract}", fix)
    if said:
        fix = "ask its issuer; until it moves, nothing can be paid in or out"
        yield Finding(token.symbol, f"it refuses to be moved by the contract: {said}", fix)
    for holder in holders:
        if holder.account in stops.accounts:
            says = f"{holder.account} is denylisted by the issuer of {token.symbol}"
            yield Finding(f"key {holder.name}", says, "pay from another account")


def _holder(node: Node, network: Network, holder: Holder, token: Token | None) -> Iterator[Finding]:
    what = f"key {holder.name}"

    def gas_money() -> str | Finding:
        wei = int(node.request("eth_getBalance", [holder.account, "latest"]), 16)
        needed = GAS_FOR_A_DEAL * price_now(node, network).expected
        has = f"{holder.account} has {coins(wei, network.coin)} for gas"
        if wei >= needed:
            return has
        where = f", from {network.faucet}" if network.faucet else ""
        return Finding(what, has, f"send it at least {coins(needed, network.coin)}{where}")

    yield _looked(what, gas_money)
    if token and has_code(node, token.address):
        units = balance_of(node, token.address, holder.account)
        fix = "" if units or network.main or network.local else f"{FAUCET} gives some for nothing"
        yield Finding(what, f"has {format_amount(units, token)}", fix, is_note=True)
