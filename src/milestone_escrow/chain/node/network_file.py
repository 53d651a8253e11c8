"""Networks as TOML: the shipped table, and the file of one's own, read strictly and added to."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from milestone_escrow.chain.node.network import ExplorerApi, Network
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

GWEI = 10**9
EXPLORERS = ("etherscan", "blockscout", "sourcify")

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_NUMBERS = {"chain_id": 1, "confirmations": 0}
_PRICES = {"max_fee_gwei": "max_fee", "min_tip_gwei": "min_tip"}
_CHOICES = {"fees": ("eip1559", "legacy"), "data_fee": ("", "op-stack", "arbitrum")}
_FLAGS = ("main", "local")
_ADDRESSES = ("contract", "deployer")
_TEXTS = ("title", "rpc", "explorer", "coin", "faucet", *_CHOICES, *_ADDRESSES)
_KEYS = {*_NUMBERS, *_PRICES, *_FLAGS, *_TEXTS, "tokens", "verify"}
_TOKEN_KEYS = {"address", "decimals"}


def read_networks(text: str, file: str, base: Mapping[str, Network]) -> dict[str, Network]:
    """The networks of a TOML file; those that `base` has are changed in what the file says.

    Raises:
        UsageError: it is not TOML, or a field is unknown or wrong; with its place.
    """
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}") from None
    return {name: _network(name, table, file, base.get(name)) for name, table in tables.items()}


def write_network(network: Network) -> str:
    """A network as a table of such a file.

    Raises:
        UsageError: its name will not do.
    """
    if not _NAME.fullmatch(network.name):
        raise UsageError(
            f"'{network.name}' is no name for a network",
            hint="use small letters, digits and hyphens",
        )
    lines = [f"[{network.name}]", f"title = {json.dumps(network.title, ensure_ascii=False)}"]
    lines.append(f"chain_id = {network.chain_id}")
    usual = Network(network.name, network.title, network.chain_id)
    for key in ("rpc", "explorer", "faucet", "coin", *_CHOICES, *_ADDRESSES):
        if getattr(network, key) != getattr(usual, key):
            lines.append(f"{key} = {json.dumps(getattr(network, key))}")
    lines += [f"{key} = true" for key in _FLAGS if getattr(network, key)]
    if network.confirmations != usual.confirmations:
        lines.append(f"confirmations = {network.confirmations}")
    for key, field in _PRICES.items():
        if getattr(network, field) != getattr(usual, field):
            lines.append(f"{key} = {Decimal(getattr(network, field)) / GWEI:f}")
    lines += [f"verify.{api.kind} = {json.dumps(api.url)}" for api in network.verify]
    for token in network.tokens:
        entry = f'{{ address = "{token.address}", decimals = {token.decimals} }}'
        lines.append(f"tokens.{json.dumps(token.symbol)} = {entry}")
    return "\n".join(lines) + "\n"


def _network(name: str, table: Any, file: str, base: Network | None) -> Network:
    where = f"{file}: [{name}]"
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table, not {table!r}")
    keys: dict[str, Any] = table
    if unknown := sorted(set(keys) - _KEYS):
        raise UsageError(
            f"{where} has unknown fields {', '.join(unknown)}",
            hint=f"allowed are {', '.join(sorted(_KEYS))}",
        )
    fields: dict[str, Any] = {
        _PRICES.get(key, key): _value(key, value, f"{where} {key}")
        for key, value in keys.items()
        if key not in ("tokens", "verify")
    }
    if base is None and "chain_id" not in fields:
        raise UsageError(f"{where} needs a chain_id")
    if "verify" in table:
        fields["verify"] = _explorers(table["verify"], f"{where} verify")
    result = (
        replace(base, **fields)
        if base
        else Network(name=name, **({"title": name.capitalize()} | fields))
    )
    for symbol, value in _table(table.get("tokens", {}), f"{where} tokens").items():
        result = result.with_token(_token(symbol, value, f"{where} tokens.{symbol}"))
    return result


def _value(key: str, value: Any, where: str) -> Any:
    if key in _PRICES:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or value < 0:
            raise UsageError(f"{where} must be a number of gwei, not {value!r}")
        return int(value * GWEI)
    kind: type = int if key in _NUMBERS else bool if key in _FLAGS else str
    # `bool` is an `int` to isinstance, but not to a reader.
    if type(value) is not kind:
        raise UsageError(f"{where} must be {kind.__name__}, not {value!r}")
    if isinstance(value, int) and value < _NUMBERS.get(key, 0):
        raise UsageError(f"{where} must be at least {_NUMBERS[key]}, not {value}")
    if key in _CHOICES and value not in _CHOICES[key]:
        allowed = " or ".join(choice for choice in _CHOICES[key] if choice)
        raise UsageError(f"{where} must be {allowed}, not {value!r}")
    return read_address(value, where) if key in _ADDRESSES and value else value


def _explorers(table: Any, where: str) -> tuple[ExplorerApi, ...]:
    found = _table(table, where)
    for kind, url in found.items():
        if kind not in EXPLORERS or not isinstance(url, str):
            raise UsageError(f"{where}.{kind} must be an address under {', '.join(EXPLORERS)}")
    return tuple(ExplorerApi(kind, url) for kind, url in found.items())


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table, not {value!r}")
    return value


def _token(symbol: str, value: Any, where: str) -> Token:
    entry = {"address": value} if isinstance(value, str) else value
    if not isinstance(entry, dict) or "address" not in entry or set(entry) - _TOKEN_KEYS:
        raise UsageError(f"{where} must be an address, or a table of address and decimals")
    decimals = entry.get("decimals", 6)
    if type(decimals) is not int or not 0 <= decimals <= 36:
        raise UsageError(f"{where} decimals must be a number from 0 to 36, not {decimals!r}")
    return Token(symbol, read_address(entry["address"], where), decimals)


def read_address(text: object, where: str) -> Address:
    """An address with its checksum.

    Raises:
        UsageError: it is none, or mistyped.
    """
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


def read_gwei(text: str, where: str) -> int:
    """Wei, from a price in gwei such as `30` or `0.05`.

    Raises:
        UsageError: it is not a positive number.
    """
    try:
        price = Decimal(text.removesuffix("gwei").strip())
    except InvalidOperation:
        price = Decimal(0)
    if not price.is_finite() or price <= 0 or price > 10**9:
        raise UsageError(f"{where} must be a number of gwei above 0, not {text!r}")
    return int(price * GWEI)
