"""Which agreements a store's operator means by a name."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.store import tables as t

_PREFIX = re.compile(r"(?:0x)?([0-9a-fA-F]{4,64})")


def named(connection: Connection, name: str) -> list[bytes]:
    """The ids of agreements whose document is in the store: those that start with the digits given,
    else those with that reference."""
    ids = list(connection.execute(select(t.documents.c.agreement_id)).scalars())
    if match := _PREFIX.fullmatch(name):
        digits = match[1].lower()
        if started := [found for found in ids if found.hex().startswith(digits)]:
            return started
    return [
        agreement_id
        for agreement_id, signed in viewing.documents(connection, ids).items()
        if signed.agreement.reference.lower() == name.lower()
    ]
