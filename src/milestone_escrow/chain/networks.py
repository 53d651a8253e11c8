"""The table of networks: where each is, which tokens it has, whether its money is real."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

USER_FILE = "networks.toml"

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_KEYS = {"title", "chain_id", "rpc", "explorer", "coin", "main", "contract", "tokens"}
_TOKEN_KEYS = {"address", "decimals"}


@dataclass(frozen=True, slots=True)
class Network:
    """One network. `main` means real money; `coin` pays for gas; "" where there is no such."""

    name: str
    title: str
    chain_id: int
    rpc: str = ""
    explorer: str = ""
    coin: str = "ETH"
    main: bool = False
    contract: Address = ""
    tokens: tuple[Token, ...] = ()

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
    found = dict(_shipped())
    file = state / USER_FILE if state else None
    if file and file.is_file():
        found |= _read(file.read_text(encoding="utf-8"), str(file), found)
    return found


def network(name: str, state: Path | None = None) -> Network:
    """The network `name`.

    Raises:
        UsageError: there is none of that name.
    """
    known = networks(state)
    if name not in known:
        raise UsageError(
            f"there is no network '{name}'", hint=f"choose from {', '.join(sorted(known))}"
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


@lru_cache
def _shipped() -> Mapping[str, Network]:
    file = resources.files("milestone_escrow.chain") / "networks.toml"
    return _read(file.read_text(encoding="utf-8"), file.name, {})


def _read(text: str, file: str, base: Mapping[str, Network]) -> dict[str, Network]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}") from None
    return {name: _network(name, table, file, base.get(name)) for name, table in tables.items()}


def _network(name: str, table: Any, file: str, base: Network | None) -> Network:
    where = f"{file}: [{name}]"
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table, not {table!r}")
    if unknown := sorted(set(table) - _KEYS):
        raise UsageError(f"{where} has unknown fields {', '.join(unknown)}", hint=_fields())
    fields = {key: value for key, value in table.items() if key != "tokens"}
    for key, value in fields.items():
        kind = {"chain_id": int, "main": bool}.get(key, str)
        if type(value) is not kind:
            raise UsageError(f"{where} {key} must be {kind.__name__}, not {value!r}")
    if fields.get("contract"):
        fields["contract"] = _address(fields["contract"], f"{where} contract")
    if base is None and "chain_id" not in fields:
        raise UsageError(f"{where} needs a chain_id")
    result = (
        replace(base, **fields)
        if base
        else Network(name=name, **({"title": name.capitalize()} | fields))
    )
    for symbol, value in table.get("tokens", {}).items():
        result = result.with_token(_token(symbol, value, f"{where} tokens.{symbol}"))
    return result


def _token(symbol: str, value: Any, where: str) -> Token:
    entry = {"address": value} if isinstance(value, str) else value
    if not isinstance(entry, dict) or "address" not in entry or set(entry) - _TOKEN_KEYS:
        raise UsageError(f"{where} must be an address, or a table of address and decimals")
    decimals = entry.get("decimals", 6)
    if type(decimals) is not int or not 0 <= decimals <= 36:
        raise UsageError(f"{where} decimals must be a number from 0 to 36, not {decimals!r}")
    return Token(symbol, _address(entry["address"], where), decimals)


def _address(text: object, where: str) -> Address:
    from eth_utils.address import to_checksum_address

    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise UsageError(f"{where} must be a 0x address of 40 hex digits, not {text!r}")
    checked = str(to_checksum_address(text))
    # All in one case carries no checksum; mixed case does, and a wrong one is a typing error.
    if text not in (checked, text.lower(), "0x" + text[2:].upper()):
        raise UsageError(
            f"{where}: {text} is mistyped, its checksum is wrong", hint="copy it again"
        )
    return checked


def _fields() -> str:
    return f"allowed are {', '.join(sorted(_KEYS))}"
