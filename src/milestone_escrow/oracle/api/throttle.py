"""How much one caller may ask: token buckets, and how large a request may be."""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from milestone_escrow.oracle.api.problems import Problem

IpNetwork: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
IpAddress: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

MAX_CALLERS = 50_000

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, and `per_second` more for every second that passes."""

    burst: float
    per_second: float


# By what is asked; every request counts as "any", by its address.
RATES: Mapping[str, Rate] = {
    "any": Rate(600, 20),
    "login": Rate(20, 0.2),
    "write": Rate(60, 2),
    # Questions that no index answers.
    "search": Rate(60, 1),
    "attest": Rate(1_000, 200),
    "hook": Rate(300, 20),
}


def rates(per_minute: int) -> Mapping[str, Rate]:
    """The usual rates, with so many requests of any kind from one address."""
    return {**RATES, "any": Rate(per_minute, per_minute / 60)}


class Buckets:
    """One token bucket for each kind of request and caller; the longest idle are forgotten."""

    def __init__(self, rates: Mapping[str, Rate], clock: Callable[[], float]) -> None:
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, kind: str, caller: str) -> None:
        """Use one token.

        Raises:
            Problem: none is left; 429, with the seconds until there is one.
        """
        rate = self._rates.get(kind)
        if rate is None:
            return
        key, now = (kind, caller), self._clock()
        with self._lock:
            left, since = self._left.pop(key, (rate.burst, now))
            # A clock that was set back must not take away what was earned.
            left = min(rate.burst, left + max(0.0, now - since) * rate.per_second)
            enough = left >= 1
            self._left[key] = (left - 1 if enough else left, now)
            while len(self._left) > MAX_CALLERS:
                self._left.popitem(last=False)
        if not enough:
            wait = max(1, math.ceil((1 - left) / rate.per_second))
            raise Problem(
                429,
                f"too many requests: {rate.burst:g} at once and {rate.per_second:g} a second are "
                "allowed",
                hint=f"wait {wait} s",
                headers={"Retry-After": str(wait)},
            )


def networks(texts: Sequence[str]) -> tuple[IpNetwork, ...]:
    """The networks of proxies whose word on a caller's address is taken."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def caller_address(peer: str, forwarded: str, trusted: Sequence[IpNetwork]) -> str:
    """Who is asking: the peer, or whom a trusted proxy names, the nearest untrusted one.

    `forwarded` is X-Forwarded-For; it counts only as far as trusted proxies wrote it. IPv6 callers
    are known by their /64, which is what one subscriber has.
    """
    address = _address(peer)
    if address is None:
        return peer or "unknown"
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and any(address in network for network in trusted):
        before = _address(hops.pop())
        if before is None:
            break
        address = before
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _address(text: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(text.strip("[]").split("%")[0])
    except ValueError:
        return None
