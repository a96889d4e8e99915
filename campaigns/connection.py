"""What every Redis client of Postrider is made with: a peer that is gone is noticed whatever the client waits for.

Knows no key and no command; what a new connection has to find in Redis is checked in `campaigns.schema`.
"""

from __future__ import annotations

import socket
from typing import Any, Final
from urllib.parse import urlsplit

#: A connection that has been silent for so long is asked whether it still stands, in s: by the kernel's TCP keepalive,
#: and by a PING before the next command.
SILENCE_S: Final = 15
#: How often the kernel asks again, in s, and after how many questions without an answer the connection is lost.
PROBE_EVERY_S: Final = 5
PROBES: Final = 3

#: By the names of Python's `socket`, as not every platform has all of them. TCP_USER_TIMEOUT, Linux' own: how long sent
#: data may stay without an acknowledgement, in ms.
_OPTIONS: Final = {
    "TCP_KEEPIDLE": SILENCE_S,
    "TCP_KEEPALIVE": SILENCE_S,  # macOS' name of it
    "TCP_KEEPINTVL": PROBE_EVERY_S,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": 1000 * (SILENCE_S + PROBE_EVERY_S * PROBES),
}


def kept_alive(redis_url: str) -> dict[str, Any]:
    """Options for `Redis.from_url`: the kernel loses a connection whose other end is gone within `SILENCE_S + PROBES *
    PROBE_EVERY_S` seconds, also one that only listens. (By default Linux takes two hours.)
    """
    if urlsplit(redis_url).scheme == "unix":  # whose other end is on this machine
        return {}
    found = {name: getattr(socket, name) for name in _OPTIONS if hasattr(socket, name)}
    return {
        "socket_keepalive": True,
        "socket_keepalive_options": {number: _OPTIONS[name] for name, number in found.items()},
    }


def watched(redis_url: str) -> dict[str, Any]:
    """As `kept_alive`, and a PING before a command that comes after `SILENCE_S` seconds of silence."""
    return {"health_check_interval": SILENCE_S, **kept_alive(redis_url)}
