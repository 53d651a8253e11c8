"""Canonical JSON (RFC 8785) and SHA-256: hashes that anyone can check with public tools."""

from __future__ import annotations

import hashlib
from typing import cast

import rfc8785

from milestone_escrow.errors import UsageError


def canonical_json(value: object) -> bytes:
    """The one byte sequence of a JSON value: keys sorted, no spaces, UTF-8 (RFC 8785).

    Raises:
        UsageError: the value holds something that JSON cannot say, a lone surrogate for example.
    """
    try:
        return rfc8785.dumps(cast("dict[str, str]", value))
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise UsageError(f"cannot be written as canonical JSON ({error})") from error


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
