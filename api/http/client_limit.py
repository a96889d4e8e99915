"""A limit on how often each client may do something: a token bucket per client, in this process.

The buckets take bounded memory: the clients that were seen last, which are the ones that matter.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.requests import Request

#: The most clients that are remembered.
MAX_CLIENTS: Final = 10_000
#: The hosts of one IPv6 network of this size count as one client: providers give each customer at least that much.
_IPV6_PREFIX: Final = 64


class ClientLimit:
    """Counts what clients do.

    Args:
        per_s: how often each client may do it in the long run, per second.
        burst: how often at once.
        clock: the time in seconds, which never runs backwards.
    """

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def exceeded(self, client: str) -> bool:
        """Whether the client has used up its limit. Counts nothing."""
        return self._left(client) < 1

    def count(self, client: str) -> None:
        """Count one more."""
        self._clients[client] = (self._left(client) - 1, self._clock())
        self._clients.move_to_end(client)
        if len(self._clients) > MAX_CLIENTS:
            self._clients.popitem(last=False)

    def _left(self, client: str) -> float:
        left, at_s = self._clients.get(client, (float(self._burst), 0.0))
        return min(self._burst, left + (self._clock() - at_s) * self._per_s)


def client_of(request: Request) -> str:
    """The client that a request counts for: its IP address, or its network for IPv6."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(int(address) >> 128 - _IPV6_PREFIX)
