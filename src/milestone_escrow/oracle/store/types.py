"""Column types that keep money and hashes exact in every database."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from milestone_escrow.errors import StoreError


class Units(TypeDecorator[int]):
    """A whole number of any size, as decimal digits: no database rounds it or overflows."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(int(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not value.isascii() or not value.isdigit():
            raise StoreError(f"the store holds '{value[:40]}' where an amount belongs")
        return int(value)


class Json(TypeDecorator[Any]):
    """JSON text with sorted keys, so that equal values are equal text. Bytes become 0x and hex."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def dumps(value: object) -> str:
    """The one text of a value, as `Json` columns and the audit log write it."""
    return _ENCODER.encode(value)


def _bytes(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "0x" + bytes(value).hex()
    raise TypeError(f"a {type(value).__name__} is not JSON")


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_bytes
)
