"""Signed events, as the Standard Webhooks specification writes them (standardwebhooks.com).

`webhook-signature` holds `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, or several of
them with spaces between while a secret is being changed.

Not by the library standardwebhooks: it looks at its own clock, and stumbles over headers of other
versions and bodies that are no text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from milestone_escrow.errors import UsageError

MIN_SECRET = 16
_PREFIX = "whsec_"


def secret_bytes(secret: str) -> bytes:
    """A shared secret as the sender uses it: `whsec_` and base64, or the text itself.

    Raises:
        UsageError: it is too short to be one, or its base64 is broken.
    """
    try:
        encoded = secret.removeprefix(_PREFIX)
        raw = base64.b64decode(encoded, validate=True) if encoded != secret else secret.encode()
    except binascii.Error:
        raise UsageError(
            "the secret starts with whsec_ but is not base64", hint="copy it again from the sender"
        ) from None
    if len(raw) < MIN_SECRET:
        raise UsageError(
            f"the secret has {len(raw)} bytes, at least {MIN_SECRET} are needed",
            hint="make one with `openssl rand -hex 32`",
        )
    return raw


def sign(secret: bytes, delivery: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = f"{delivery}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def is_signed(secret: bytes, delivery: str, timestamp: int, body: bytes, header: str) -> bool:
    """Whether one of the signatures in the header is right, in time that does not tell how near
    a wrong one came."""
    wanted = sign(secret, delivery, timestamp, body).encode()
    matches = [hmac.compare_digest(wanted, given.encode()) for given in header.split(" ")]
    return any(matches)
