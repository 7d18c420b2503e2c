"""How often one address may try something. Kept in memory: it must cost next to nothing to say no."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi import Request


class TokenBuckets:
    """A bucket of `size` tries for each address, refilled with one try every `seconds_per_try`.

    At most `most` addresses are remembered; the one that was away longest is forgotten first.
    """

    def __init__(
        self, size: int, seconds_per_try: float, *, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._pace, self._most, self._clock = size, seconds_per_try, most, clock
        # A bucket is the time at which it is full again; that it is in the past means that it is full.
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str) -> int:
        """Take a try out of the address's bucket; returns 0, or the whole seconds until there is one again."""
        with self._lock:
            at = self._clock()
            full_at = max(self._full_at.get(address, at), at) + self._pace
            wait = full_at - at - self._size * self._pace
            if wait <= 0:
                self._full_at[address] = full_at
                self._full_at.move_to_end(address)
                if len(self._full_at) > self._most:
                    self._full_at.popitem(last=False)
            return math.ceil(max(0.0, wait))

    def __len__(self) -> int:
        return len(self._full_at)


def address_of(request: Request) -> str:
    """Whose request it is, as far as the network tells: an IPv4 address, or the /64 of an IPv6 address.

    Behind a proxy this is the proxy unless the server trusts its `X-Forwarded-For` (uvicorn: FORWARDED_ALLOW_IPS).
    """
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket has no address
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # A customer commonly gets a /64 or more, RFC 6177, so that single addresses cost nothing.
    return str(address.ipv4_mapped or ipaddress.ip_network((address.packed, 64), strict=False).network_address)
