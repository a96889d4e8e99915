"""Connection options of all Redis clients of Postrider: they detect a lost peer, whatever the client waits for.

This module knows no key and no command. `campaigns.db.schema` checks what a new connection finds in Redis.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Final
from urllib.parse import urlsplit

#: Silence after which a connection is checked, in s: by the kernel's TCP keepalive, and by a PING before the next
#: command.
SILENCE_S: Final = 15
#: Time between two keepalive probes of the kernel, in s, and how many unanswered probes close the connection.
PROBE_EVERY_S: Final = 5
PROBES: Final = 3

#: Socket options by their names in Python's `socket`, because not every platform has all of them. TCP_USER_TIMEOUT
#: (Linux only): how long sent data may stay unacknowledged, in ms.
_OPTIONS: Final = {
    "TCP_KEEPIDLE": SILENCE_S,
    "TCP_KEEPALIVE": SILENCE_S,  # the name on macOS
    "TCP_KEEPINTVL": PROBE_EVERY_S,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": 1000 * (SILENCE_S + PROBE_EVERY_S * PROBES),
}


def kept_alive(redis_url: str) -> dict[str, Any]:
    """Options for `Redis.from_url` that turn on TCP keepalive.

    The kernel closes a connection within `SILENCE_S + PROBES * PROBE_EVERY_S` seconds after its peer is lost, even if
    the client only listens. Linux's default is two hours.
    """
    if urlsplit(redis_url).scheme == "unix":  # the peer is on this machine
        return {}
    found = {name: getattr(socket, name) for name in _OPTIONS if hasattr(socket, name)}
    return {
        "socket_keepalive": True,
        "socket_keepalive_options": {number: _OPTIONS[name] for name, number in found.items()},
    }


def watched(redis_url: str) -> dict[str, Any]:
    """As `kept_alive`, plus a PING before a command that follows `SILENCE_S` seconds of silence."""
    return {"health_check_interval": SILENCE_S, **kept_alive(redis_url)}


class _Made(threading.local):
    connections = 0


_made = _Made()


def count_new() -> None:
    """Count a connection that this thread has made."""
    _made.connections += 1


def made_by_this_thread() -> int:
    """How many connections this thread has made.

    If a command raises the number, the client may have sent the command twice: it repeats a command over a new
    connection after a response that did not come, and Redis may have executed the first one too.
    """
    return _made.connections
