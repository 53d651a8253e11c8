"""A payment token, as far as the protocol needs to know it."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20; `decimals` says how many of its units are one for people."""

    symbol: str
    address: Address
    decimals: int
