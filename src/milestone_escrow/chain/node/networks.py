"""The table of networks: where each is, which tokens it has, whether its money is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token

USER_FILE = "networks.toml"

# Wei for a unit of gas, where nothing is known about a network.
USUAL_CAP = 500 * 10**9

# Nick Johnson's deterministic deployment proxy, at this address on nearly every network: what it
# creates lies where salt and code say, whoever asked.
DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
DEPLOYER_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234"
    "f58015156039578182fd5b8082525050506014600cf3"
)


@dataclass(frozen=True, slots=True)
class ExplorerApi:
    """Where an explorer takes sources; `kind` is "etherscan", "blockscout" or "sourcify"."""

    kind: str
    url: str


@dataclass(frozen=True, slots=True)
class Network:
    """One network. `main` means real money; `coin` pays for gas; "" where there is no such.

    `local` chains have a time of their own. `max_fee` and `min_tip` are wei per unit of gas;
    `fees` is "eip1559" or "legacy". `data_fee` says who charges for data on a rollup, "op-stack" or
    "arbitrum". `confirmations` counts the block of the transaction; 0 waits for finality instead.
    """

    name: str
    title: str
    chain_id: int
    rpc: str = ""
    explorer: str = ""
    coin: str = "ETH"
    main: bool = False
    contract: Address = ""
    tokens: tuple[Token, ...] = ()
    local: bool = False
    faucet: str = ""
    fees: str = "eip1559"
    max_fee: int = USUAL_CAP
    min_tip: int = 0
    data_fee: str = ""
    confirmations: int = 1
    deployer: Address = DEPLOYER
    verify: tuple[ExplorerApi, ...] = ()

    def token(self, symbol: str) -> Token:
        """The token of that symbol.

        Raises:
            UsageError: the network's record has none.
        """
        for token in self.tokens:
            if token.symbol.upper() == symbol.upper():
                return token
        known = ", ".join(token.symbol for token in self.tokens) or "no token"
        raise UsageError(
            f"{self.title} has no {symbol}, as far as is known here: it has {known}",
            hint=f"add it to your {USER_FILE} under [{self.name}.tokens]",
        )

    def with_token(self, token: Token) -> Network:
        """The same network knowing one token more."""
        others = tuple(known for known in self.tokens if known.symbol != token.symbol)
        return replace(self, tokens=(*others, token))

    def link(self, kind: str, value: str) -> str:
        """An address ("address") or a transaction ("tx") in the explorer; "" without one."""
        return f"{self.explorer}/{kind}/{value}" if self.explorer else ""


def networks(state: Path | None = None) -> dict[str, Network]:
    """All networks by name; a `networks.toml` in the folder `state` adds or replaces some.

    Raises:
        UsageError: that file cannot be read or makes no sense.
    """
    from milestone_escrow.chain.node.network_file import read_networks

    found = dict(_shipped())
    file = state / USER_FILE if state else None
    if file and file.is_file():
        own = read_networks(file.read_text(encoding="utf-8"), str(file), found)
        found |= {name: _as_real(chosen) for name, chosen in own.items()}
    return found


def network(name: str, state: Path | None = None) -> Network:
    """The network `name`.

    Raises:
        UsageError: there is none of that name.
    """
    known = networks(state)
    if name not in known:
        raise UsageError(
            f"there is no network '{name}'",
            hint=f"choose from {', '.join(sorted(known))}, or add it with `escrow network add`",
        )
    return known[name]


def require_allowed(chosen: Network, mainnet: bool) -> None:
    """Refuse real money unless it was asked for.

    Raises:
        UsageError: a main network without `mainnet`.
    """
    if chosen.main and not mainnet:
        raise UsageError(
            f"{chosen.title} is a main network with real money, and the contract is unaudited",
            hint="if you mean it, say --mainnet; to try things out, use sepolia or the sandbox",
        )


def _as_real(chosen: Network) -> Network:
    """A chain with real money holds it under every name."""
    real = any(known.main and known.chain_id == chosen.chain_id for known in _shipped().values())
    return replace(chosen, main=chosen.main or real)


@lru_cache
def _shipped() -> Mapping[str, Network]:
    from milestone_escrow.chain.node.network_file import read_networks

    file = resources.files("milestone_escrow.chain") / "networks.toml"
    return read_networks(file.read_text(encoding="utf-8"), file.name, {})
