"""A contract on the test chain: calls in, decoded answers, events and custom errors out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pytest
from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address

from milestone_escrow.chain.deploy.compiler import Artifact
from tests.contracts.support.evm import GAS, Chain, Log, Receipt, Reverted

STRANGER = to_checksum_address("0x" + "57" * 20)


class Refused(Exception):  # noqa: N818 - the past participle says what happened
    """A transaction failed with one of the contract's custom errors."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(f"{name}({', '.join(f'{k}={v!r}' for k, v in values.items())})")
        self.name = name
        self.values = dict(values)


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction cost, answered, and said, in order."""

    gas: int
    answer: Any
    events: tuple[Event, ...]
    receipt: Receipt

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def event(self, name: str) -> Mapping[str, Any]:
        """The values of the one event of that name."""
        (found,) = (event.values for event in self.events if event.name == name)
        return found


@dataclass(frozen=True, slots=True)
class _Signature:
    """A function, event or error of an ABI."""

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    indexed: tuple[bool, ...]
    outputs: tuple[str, ...]

    @property
    def hash(self) -> bytes:
        return keccak(text=f"{self.name}({','.join(self.types)})")


@dataclass(frozen=True)
class Contract:
    """One deployed contract."""

    chain: Chain
    address: str
    artifact: Artifact

    @classmethod
    def deploy(cls, chain: Chain, artifact: Artifact, *args: Any, by: str = STRANGER) -> Contract:
        types = [
            _type(item)
            for entry in artifact.abi
            if entry["type"] == "constructor"
            for item in entry["inputs"]
        ]
        code = bytes.fromhex(artifact.bytecode[2:]) + encode(types, args)
        return cls(chain, chain.deploy(by, code), artifact)

    def on(self, chain: Chain) -> Contract:
        return replace(self, chain=chain)

    def data(self, function: str, *args: Any) -> bytes:
        """Calldata, for a wallet or a token to send."""
        signature = self._functions[function]
        return signature.hash[:4] + encode(signature.types, args)

    def send(self, function: str, *args: Any, by: str = STRANGER, gas: int = GAS) -> Outcome:
        """Raises Refused where the contract answers with a custom error, Reverted elsewhere."""
        with self._decoded_errors():
            receipt = self.chain.send(by, self.address, self.data(function, *args), gas)
        answer = self._decoded_answer(function, receipt.output)
        return Outcome(receipt.gas, answer, self.events(receipt), receipt)

    def call(self, function: str, *args: Any, by: str = STRANGER) -> Any:
        with self._decoded_errors():
            output = self.chain.call(self.address, self.data(function, *args), by)
        return self._decoded_answer(function, output)

    def events(self, receipt: Receipt) -> tuple[Event, ...]:
        """What this contract said in a transaction, whoever was called first."""
        return tuple(self._events_of(receipt.logs))

    def decode_error(self, data: bytes) -> Refused | None:
        """The custom error that `data` encodes, or None where it is none of this contract."""
        error = self._errors.get(data[:4])
        if error is None:
            return None
        values = _checksummed(decode(error.types, data[4:]))
        return Refused(error.name, dict(zip(error.names, values, strict=True)))

    @contextmanager
    def _decoded_errors(self) -> Iterator[None]:
        try:
            yield
        except Reverted as reverted:
            raise self.decode_error(reverted.data) or reverted from reverted

    def _decoded_answer(self, function: str, output: bytes) -> Any:
        types = self._functions[function].outputs
        values = _checksummed(decode(types, output)) if types else ()
        return values[0] if len(values) == 1 else values or None

    def _events_of(self, logs: Sequence[Log]) -> Iterator[Event]:
        for log in logs:
            event = self._events.get(log.topics[0]) if log.address == self.address else None
            if event is None:
                continue
            kinds = tuple(zip(event.types, event.indexed, strict=True))
            plain = [kind for kind, indexed in kinds if not indexed]
            data, topics = iter(decode(plain, log.data)), iter(log.topics[1:])
            values = [
                decode([kind], next(topics))[0] if indexed else next(data)
                for kind, indexed in kinds
            ]
            yield Event(event.name, dict(zip(event.names, _checksummed(values), strict=True)))

    @cached_property
    def _functions(self) -> dict[str, _Signature]:
        return {s.name: s for s in self._signatures("function")}

    @cached_property
    def _errors(self) -> dict[bytes, _Signature]:
        return {s.hash[:4]: s for s in self._signatures("error")}

    @cached_property
    def _events(self) -> dict[bytes, _Signature]:
        return {s.hash: s for s in self._signatures("event")}

    def _signatures(self, kind: str) -> Iterator[_Signature]:
        for entry in self.artifact.abi:
            if entry["type"] == kind:
                inputs = entry["inputs"]
                yield _Signature(
                    entry["name"],
                    tuple(item["name"] for item in inputs),
                    tuple(_type(item) for item in inputs),
                    tuple(item.get("indexed", False) for item in inputs),
                    tuple(_type(item) for item in entry.get("outputs", ())),
                )


@contextmanager
def refuses(name: str, **values: Any) -> Iterator[None]:
    """The block must end in this custom error, with exactly these values."""
    with pytest.raises(Refused) as caught:
        yield
    assert (caught.value.name, caught.value.values) == (name, values)


def bytes32(text: str) -> bytes:
    """A short text as Solidity's `bytes32` literal, which names fields and roles in errors."""
    return text.encode().ljust(32, b"\0")


def _type(item: Mapping[str, Any]) -> str:
    kind = str(item["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(member) for member in item['components'])}){kind[5:]}"


def _checksummed(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_checksummed(item) for item in value)
    if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
        return to_checksum_address(value)
    return value
