"""Column types that keep money and hashes exact in every database."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from milestone_escrow.errors import StoreError


class Unreadable:
    """What stands in a column where something else belongs. Rows around it are read; whoever uses
    it is refused."""

    def __init__(self, text: str, wanted: str) -> None:
        self._text = text
        self._wanted = wanted

    def refuse(self, *_: object) -> NoReturn:
        """Say what is there.

        Raises:
            StoreError: always.
        """
        shown = self._text[:40]
        raise StoreError(f"the store holds '{shown}' where {self._wanted} belongs")

    __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __int__ = __index__ = refuse
    __lt__ = __gt__ = __le__ = __ge__ = __add__ = __radd__ = __sub__ = __mul__ = refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self.refuse()


class Units(TypeDecorator[int]):
    """A whole number of any size, as decimal digits: no database rounds it or overflows."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(int(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not value.isascii() or not value.isdigit():
            return Unreadable(value, "an amount")
        return int(value)


class Json(TypeDecorator[Any]):
    """JSON text with sorted keys, so that equal values are equal text. Bytes become 0x and hex."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        try:
            return None if value is None else json.loads(value)
        except (ValueError, RecursionError):
            return Unreadable(str(value), "JSON")


def dumps(value: object) -> str:
    """The one text of a value, as `Json` columns and the audit log write it."""
    return _ENCODER.encode(value)


def _bytes(value: object) -> str:
    if isinstance(value, Unreadable):
        value.refuse()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "0x" + bytes(value).hex()
    raise TypeError(f"a {type(value).__name__} is not JSON")


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_bytes
)
