"""JSON from strangers: bounded in size and depth before a parser sees it.

A parser goes down one call for each level. Where another library has raised Python's limit of
recursion, brackets without end would crash the process instead of failing.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

MAX_NESTING = 64

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def parse_json(data: bytes | str, *, limit: int, exact: bool = False) -> object:
    """The value that the text holds; a field that is given twice is refused.

    `exact` reads fractions as `Decimal`, digit by digit as they were written, and refuses NaN and
    infinities, which are no JSON.

    Raises:
        ValueError: it is longer than `limit` bytes, too deep, or not JSON.
    """
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > limit:
        raise ValueError(f"more than {limit:,} bytes")
    depth = 0
    for token in _TOKEN.finditer(raw):
        first = token[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_NESTING:
            raise ValueError("nested too deeply")
    if exact:
        return json.loads(
            raw, object_pairs_hook=_distinct, parse_float=Decimal, parse_constant=_refused
        )
    return json.loads(raw, object_pairs_hook=_distinct)


def _refused(name: str) -> object:
    raise ValueError(f"{name} is not a number")


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields
