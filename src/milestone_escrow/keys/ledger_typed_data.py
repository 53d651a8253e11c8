"""Typed data field by field, as a Ledger's Ethereum app takes it to show and hash it itself.

First every struct type is defined, then the values of the domain and of the message follow in their
types' order; structs within are their fields one after the other, lists begin with their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from milestone_escrow.protocol.eip712 import Field, Struct, TypedData

DEFINE, FILL = 0x1A, 0x1C
_NAME, _LIST, _FIELD = 0x00, 0x0F, 0xFF
_WHOLE, _PART = 0x00, 0x01
_PIECE = 255

_CUSTOM, _UINT, _ADDRESS, _BOOL, _STRING, _FIXED_BYTES, _BYTES = 0, 2, 3, 4, 5, 6, 7
_PLAIN = {"address": _ADDRESS, "bool": _BOOL, "string": _STRING, "bytes": _BYTES}
_SIZED = {"uint": _UINT, "bytes": _FIXED_BYTES}
_HAS_SIZE, _IS_LIST = 0x40, 0x80
_DYNAMIC = 0x00
_SIZED_TYPE = re.compile(r"(uint|bytes)(\d+)")

Command = tuple[int, int, int, bytes]
"""Instruction, both parameters, and the data."""


def is_showable(data: TypedData) -> bool:
    """Whether all of its types can be sent so; others are signed by their hashes."""
    structs = [data.domain.struct, *data.struct.closure().values()]
    known = {struct.name for struct in structs}
    bases = {field.type.removesuffix("[]") for struct in structs for field in struct.fields}
    return all(one in known or one in _PLAIN or _SIZED_TYPE.fullmatch(one) for one in bases)


def commands(data: TypedData) -> Iterator[Command]:
    """Everything that comes before the command to sign; `data` must have been checked."""
    structs = {**data.struct.closure(), data.domain.struct.name: data.domain.struct}
    for name in sorted(structs):
        yield (DEFINE, _WHOLE, _NAME, name.encode())
        for field in structs[name].fields:
            yield (DEFINE, _WHOLE, _FIELD, _definition(field))
    for struct, message in (
        (data.domain.struct, data.domain.message()),
        (data.struct, data.message),
    ):
        yield (FILL, _WHOLE, _NAME, struct.name.encode())
        yield from _fields(struct, message)


def _definition(field: Field) -> bytes:
    """A field's type, its size in bytes where it has one, whether it is a list, and its name."""
    base = field.type.removesuffix("[]")
    kind, extra = _PLAIN.get(base), b""
    if sized := _SIZED_TYPE.fullmatch(base):
        bits_to_bytes = 8 if sized[1] == "uint" else 1
        kind = _SIZED[sized[1]] | _HAS_SIZE
        extra = bytes([int(sized[2]) // bits_to_bytes])
    elif kind is None:
        kind, extra = _CUSTOM, bytes([len(base)]) + base.encode()
    if base != field.type:
        kind, extra = kind | _IS_LIST, extra + bytes([1, _DYNAMIC])
    return bytes([kind]) + extra + bytes([len(field.name)]) + field.name.encode()


def _fields(struct: Struct, message: Mapping[str, object]) -> Iterator[Command]:
    members = {member.name: member for member in struct.members}
    for field in struct.fields:
        base, value = field.type.removesuffix("[]"), message[field.name]
        items: Sequence[object] = [value]
        if base != field.type:
            assert isinstance(value, (list, tuple))
            items = value
            yield (FILL, _WHOLE, _LIST, bytes([len(items)]))
        for item in items:
            if base in members:
                assert isinstance(item, Mapping)
                yield from _fields(members[base], item)
            else:
                yield from _value(base, item)


def _value(base: str, value: object) -> Iterator[Command]:
    """A plain value after its length of two bytes, in as many pieces as it takes."""
    raw = _raw(base, value)
    left = len(raw).to_bytes(2, "big") + raw
    while len(left) > _PIECE:
        yield (FILL, _PART, _FIELD, left[:_PIECE])
        left = left[_PIECE:]
    yield (FILL, _WHOLE, _FIELD, left)


def _raw(base: str, value: object) -> bytes:
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        # No leading zeros, and one byte for zero.
        return value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big")
    if isinstance(value, bytes):
        return value
    text = str(value)
    return bytes.fromhex(text[2:]) if base == "address" else text.encode()
