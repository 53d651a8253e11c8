"""The table of networks: those that ship with the package, and one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from milestone_escrow.chain.node.network import USER_FILE, Network
from milestone_escrow.chain.node.network_file import read_networks
from milestone_escrow.errors import UsageError


def networks(state: Path | None = None) -> dict[str, Network]:
    """All networks by name; a `networks.toml` in the folder `state` adds or replaces some.

    Raises:
        UsageError: that file cannot be read or makes no sense.
    """
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
    file = resources.files("milestone_escrow.chain") / "networks.toml"
    return read_networks(file.read_text(encoding="utf-8"), file.name, {})
