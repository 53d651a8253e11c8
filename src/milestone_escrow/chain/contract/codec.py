"""Calls, answers, errors and events in the ABI's encoding; addresses come out checksummed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.hashing import keccak

Parameter: TypeAlias = Mapping[str, Any]
Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A function, error or event of an ABI; `key` is its selector or topic."""

    name: str
    key: bytes
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]


class Interface:
    """One contract's ABI, ready to encode and decode."""

    def __init__(self, abi: Iterable[Mapping[str, Any]]) -> None:
        entries = [(item["type"], _entry(item)) for item in abi if "name" in item]
        self.functions = {entry.name: entry for kind, entry in entries if kind == "function"}
        self.errors = {entry.key: entry for kind, entry in entries if kind == "error"}
        self.events = {entry.key: entry for kind, entry in entries if kind == "event"}

    def call(self, name: str, *values: object) -> bytes:
        """The calldata of a function.

        Raises:
            UsageError: a value does not fit its type.
        """
        from eth_abi.abi import encode
        from eth_abi.exceptions import EncodingError

        function = self.functions[name]
        try:
            return function.key + encode([_type(p) for p in function.inputs], values)
        except EncodingError as error:
            raise UsageError(f"a value given to {name} does not fit: {error}") from None

    def answer(self, name: str, output: bytes) -> tuple[Any, ...]:
        """What a function returned.

        Raises:
            ChainError: nothing, or not what this function returns.
        """
        return tuple(_decode(self.functions[name].outputs, output, f"the answer to {name}"))

    def arguments(self, name: str, data: bytes) -> Values | None:
        """What a call hands to a function, or None where it is no call of it."""
        function = self.functions[name]
        if data[:4] != function.key:
            return None
        try:
            return _named(function.inputs, _decode(function.inputs, data[4:], name))
        except ChainError:
            return None

    def error(self, data: bytes) -> tuple[str, Values] | None:
        """A custom error's name and values, or None where it is not one of this contract's."""
        entry = self.errors.get(data[:4])
        if entry is None:
            return None
        try:
            return entry.name, _named(entry.inputs, _decode(entry.inputs, data[4:], entry.name))
        except ChainError:
            return None

    def topic(self, event: str) -> bytes:
        """The first topic of an event."""
        return next(entry.key for entry in self.events.values() if entry.name == event)


@lru_cache
def interface(contract: str) -> Interface:
    """The interface of a contract that ships with the package."""
    return Interface(load(contract).abi)


def _entry(item: Mapping[str, Any]) -> Entry:
    inputs = tuple(item["inputs"])
    digest = keccak(f"{item['name']}({','.join(_type(p) for p in inputs)})".encode())
    key = digest if item["type"] == "event" else digest[:4]
    return Entry(item["name"], key, inputs, tuple(item.get("outputs", ())))


def _type(parameter: Parameter) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_type(component) for component in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _decode(parameters: Sequence[Parameter], data: bytes, what: str) -> list[Any]:
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    try:
        values = decode([_type(p) for p in parameters], data)
    except (DecodingError, OverflowError):
        raise ChainError(
            f"{what} cannot be read: {len(data)} bytes of something else",
            hint="check that the address is the right contract on the right network",
        ) from None
    return [_clean(p, p["type"], value) for p, value in zip(parameters, values, strict=True)]


def _clean(parameter: Parameter, kind: str, value: Any) -> Any:
    """Structs as mappings by field name, addresses with their checksum."""
    if kind.endswith("[]"):
        return [_clean(parameter, kind[:-2], item) for item in value]
    if kind == "tuple":
        parts = zip(parameter["components"], value, strict=True)
        return {part["name"]: _clean(part, part["type"], item) for part, item in parts}
    if kind == "address":
        from eth_utils.address import to_checksum_address

        return str(to_checksum_address(value))
    return value


def _named(parameters: Sequence[Parameter], values: Sequence[Any]) -> Values:
    return {p["name"]: value for p, value in zip(parameters, values, strict=True)}
