"""Which internet addresses the oracle may ask: public ones, and nothing of its own house.

An agreement names addresses that the other side chose. Whoever could make the oracle ask its own
network would see what only that network may see: a cloud's metadata, a database, a router.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

# Written out, because what Python calls global differs between its versions.
_CLOSED_4 = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_OPEN_6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_6 = tuple(
    ipaddress.IPv6Network(net)
    for net in (
        # Teredo, benchmarking, ORCHID and the like; documentation; 6to4, which hides an IPv4
        # address; more documentation; segment routing lies outside of 2000::/3.
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip


def refusal(address: str) -> str:
    """Why an address, as a resolver gives it, may not be asked; "" where it may.

    An IPv4 address within an IPv6 one is judged as what it is.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"{address!r} is not an address"
    if isinstance(parsed, IPv4Address):
        return _refusal_4(parsed)
    if parsed.scope_id:
        return f"{address} belongs to one link only"
    if parsed.ipv4_mapped is not None:
        return _refusal_4(parsed.ipv4_mapped) and f"{address} is a private address in disguise"
    if parsed not in _OPEN_6 or any(parsed in net for net in _CLOSED_6):
        return f"{address} is not a public address"
    return ""


def _refusal_4(address: IPv4Address) -> str:
    if any(address in net for net in _CLOSED_4):
        return f"{address} is not a public address"
    return ""
