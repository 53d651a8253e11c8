"""Accounts by name, computed once: a checksum costs more than a lookup a million times."""

from __future__ import annotations

from functools import cache

from milestone_escrow.protocol.eip712 import Address
from tests.contracts.support.people import person


@cache
def account(name: str) -> Address:
    return person(name).address
