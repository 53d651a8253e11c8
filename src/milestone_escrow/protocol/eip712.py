"""A strict EIP-712 codec for the structs of this protocol.

Common encoders accept wrong types without a word: a bool of "no" signs as true, short bytes are
padded, a missing field becomes zero. Here every value is checked before anything is hashed, and
domain and type hashes are computed once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from milestone_escrow.errors import TypedDataError
from milestone_escrow.protocol.hashing import keccak

Address: TypeAlias = str
"""A 20-byte account as EIP-55 checksummed hex."""

Message: TypeAlias = Mapping[str, object]
Encoder: TypeAlias = Callable[[object], bytes]

ZERO_ADDRESS: Address = "0x" + "0" * 40
ZERO_HASH = bytes(32)

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_INTEGER = re.compile(r"(u?)int(\d+)")
_BYTES = re.compile(r"bytes(\d+)")


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a struct: its Solidity type and its name."""

    type: str
    name: str


@dataclass(frozen=True)
class Struct:
    """An EIP-712 struct type; `members` are the structs that it refers to."""

    name: str
    fields: tuple[Field, ...]
    members: tuple[Struct, ...] = ()

    @cached_property
    def encoded_type(self) -> str:
        """`encodeType` of EIP-712: this struct first, the ones it uses after it, by name."""
        used = sorted(self.closure().values(), key=lambda struct: struct.name)
        rest = "".join(struct._own_type() for struct in used if struct.name != self.name)
        return self._own_type() + rest

    @cached_property
    def type_hash(self) -> bytes:
        return keccak(self.encoded_type.encode())

    @cached_property
    def encoders(self) -> tuple[tuple[str, Encoder], ...]:
        """For each field its name and its checking encoder, built once."""
        members = {member.name: member for member in self.members}
        return tuple(
            (field.name, _encoder(field.type, f"{self.name}.{field.name}", members))
            for field in self.fields
        )

    @cached_property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """For each field its name, here and as an attribute of a record: in snake case."""
        return tuple((field.name, snake(field.name)) for field in self.fields)

    def of(self, record: object) -> Message:
        """A record as a message: its attributes under the names of the fields."""
        return {name: getattr(record, attribute) for name, attribute in self.attributes}

    def hash(self, message: object) -> bytes:
        """`hashStruct`, after a strict check of every field.

        Raises:
            TypedDataError: a field is missing, unknown, or not of its type.
        """
        if not isinstance(message, Mapping):
            raise TypedDataError(f"{self.name} must be a mapping, not {_kind(message)}")
        # As many names as there are fields, and each field found: then no other name is there.
        if len(message) != len(self.fields):
            raise self._wrong_names(message)
        try:
            words = [encode(message[name]) for name, encode in self.encoders]
        except KeyError:
            raise self._wrong_names(message) from None
        return keccak(self.type_hash + b"".join(words))

    def _wrong_names(self, message: Message) -> TypedDataError:
        names = {field.name for field in self.fields}
        missing, unknown = sorted(names - set(message)), sorted(set(message) - names)
        return TypedDataError(f"{self.name} has missing fields {missing}, unknown fields {unknown}")

    def _own_type(self) -> str:
        inner = ",".join(f"{field.type} {field.name}" for field in self.fields)
        return f"{self.name}({inner})"

    def closure(self) -> dict[str, Struct]:
        """This struct and all that it uses, by name."""
        found = {self.name: self}
        for member in self.members:
            found.update(member.closure())
        return found


@lru_cache
def snake(name: str) -> str:
    """The name of an attribute, from that of a Solidity field."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _encoder(kind: str, where: str, members: Mapping[str, Struct]) -> Encoder:
    """The function that turns a value of Solidity type `kind` into its 32-byte word."""
    if kind.endswith("[]"):
        return _list_encoder(_encoder(kind[:-2], f"{where}[]", members), where)
    if kind in members:
        return members[kind].hash
    if integer := _INTEGER.fullmatch(kind):
        return _integer_encoder(bool(integer[1]), int(integer[2]), where)
    if fixed := _BYTES.fullmatch(kind):
        return _fixed_bytes_encoder(int(fixed[1]), where)
    try:
        encode = _PLAIN[kind]
    except KeyError:
        raise TypedDataError(f"{where} has the unknown type {kind}") from None
    return lambda value: encode(value, where)


def _list_encoder(encode: Encoder, where: str) -> Encoder:
    def encode_list(value: object) -> bytes:
        if not isinstance(value, (list, tuple)):
            raise TypedDataError(f"{where} must be a list, not {_kind(value)}")
        return keccak(b"".join([encode(item) for item in value]))

    return encode_list


def _integer_encoder(unsigned: bool, bits: int, where: str) -> Encoder:
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def encode_integer(value: object) -> bytes:
        # Nearly every value takes this way; the others are told what is wrong with them.
        if type(value) is int and 0 <= value <= high:
            return value.to_bytes(32, "big")
        # bool is an int in Python and must not become 0 or 1 here.
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypedDataError(f"{where} must be a whole number, not {value!r}")
        if not low <= value <= high:
            raise TypedDataError(f"{where} is {value}, allowed are {low} to {high}")
        return (value % 2**256).to_bytes(32, "big")

    return encode_integer


def _fixed_bytes_encoder(size: int, where: str) -> Encoder:
    def encode_bytes(value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            got = f"{len(value)} bytes" if isinstance(value, bytes) else _kind(value)
            raise TypedDataError(f"{where} must be exactly {size} bytes, not {got}")
        return value.ljust(32, b"\0")

    return encode_bytes


def _encode_address(value: object, where: str) -> bytes:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise TypedDataError(f"{where} must be a 0x address of 40 hex digits, not {value!r}")
    return bytes(12) + bytes.fromhex(value[2:])


def _encode_bool(value: object, where: str) -> bytes:
    if not isinstance(value, bool):
        raise TypedDataError(f"{where} must be true or false, not {value!r}")
    return value.to_bytes(32, "big")


def _encode_string(value: object, where: str) -> bytes:
    if not isinstance(value, str):
        raise TypedDataError(f"{where} must be text, not {_kind(value)}")
    return keccak(value.encode())


def _encode_bytes(value: object, where: str) -> bytes:
    if not isinstance(value, bytes):
        raise TypedDataError(f"{where} must be bytes, not {_kind(value)}")
    return keccak(value)


_PLAIN: Mapping[str, Callable[[object, str], bytes]] = {
    "address": _encode_address,
    "bool": _encode_bool,
    "string": _encode_string,
    "bytes": _encode_bytes,
}


def _kind(value: object) -> str:
    return type(value).__name__


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain of one deployed contract."""

    chain_id: int
    verifying_contract: Address
    name: str = "MilestoneEscrow"
    version: str = "1"

    @property
    def struct(self) -> Struct:
        """Which fields this domain has."""
        return DOMAIN

    def separator(self) -> bytes:
        """The 32-byte domain separator."""
        return _separator(self)

    def message(self) -> dict[str, object]:
        return {
            "name": self.name,
            "version": self.version,
            "chainId": self.chain_id,
            "verifyingContract": self.verifying_contract,
        }


DOMAIN = Struct(
    "EIP712Domain",
    (
        Field("string", "name"),
        Field("string", "version"),
        Field("uint256", "chainId"),
        Field("address", "verifyingContract"),
    ),
)


BARE_DOMAIN = Struct("EIP712Domain", DOMAIN.fields[2:])


@dataclass(frozen=True, slots=True)
class BareDomain(Domain):
    """A domain without name and version, as that of a Safe."""

    name: str = ""
    version: str = ""

    @property
    def struct(self) -> Struct:
        return BARE_DOMAIN

    def message(self) -> dict[str, object]:
        return {"chainId": self.chain_id, "verifyingContract": self.verifying_contract}


@lru_cache(maxsize=256)
def _separator(domain: Domain) -> bytes:
    return domain.struct.hash(domain.message())


@dataclass(frozen=True, slots=True)
class TypedData:
    """A message ready to be signed: what a wallet shows, and the digest it signs."""

    domain: Domain
    struct: Struct
    message: Message

    def digest(self) -> bytes:
        """The 32-byte EIP-712 digest, checked field by field.

        Raises:
            TypedDataError: the message does not fit its struct.
        """
        return keccak(b"\x19\x01" + self.domain.separator() + self.struct.hash(self.message))

    def to_json(self) -> dict[str, object]:
        """The object that `eth_signTypedData_v4` takes; bytes as 0x hex, integers as text."""
        structs = {"EIP712Domain": self.domain.struct, **self.struct.closure()}
        return {
            "types": {
                name: [{"name": field.name, "type": field.type} for field in struct.fields]
                for name, struct in structs.items()
            },
            "primaryType": self.struct.name,
            "domain": self.domain.message(),
            "message": _jsonable(self.message),
        }


def _jsonable(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {name: _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value
