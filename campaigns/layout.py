"""The version of what Postrider keeps in Redis: a process that meets another one there works on nothing.

It is compared on every new connection, before that connection's first command. So the check comes before any work, also
where Redis was away when the process started, or has been replaced by another one since.
"""

from __future__ import annotations

from typing import Any, Final

from redis import RedisError, ResponseError
from redis.connection import AbstractConnection

from campaigns import keys

VERSION: Final = str(keys.LAYOUT_VERSION).encode()


class WrongLayout(RedisError):
    """Redis holds another layout; `docs/operations.md` (Upgrades) says what to do."""

    def __init__(self, found: bytes) -> None:
        super().__init__(
            f"Redis holds data in layout {found.decode(errors='replace')[:20]!r} and this version of Postrider works "
            f"with layout {keys.LAYOUT_VERSION} alone: run the version that made them, or use another database"
        )


def on_connect(connection: AbstractConnection) -> None:
    """Prepare a new connection; redis-py's `redis_connect_func`. An empty Redis gets this layout's version.

    One that is empty and takes no writes now holds nothing to mistake, and is read from as it is.

    Raises:
        WrongLayout: the connection is closed again.
    """
    untyped: Any = connection
    # Without redis-py's health check, which would connect again, and that again, while Redis refuses everything.
    untyped.on_connect_check_health(check_health=False)
    found = _ask(untyped, "GET", keys.LAYOUT)
    if found is None:
        try:
            _ask(untyped, "SET", keys.LAYOUT, VERSION, "NX")
        except ResponseError:
            return
        found = _ask(untyped, "GET", keys.LAYOUT)
    if found != VERSION:
        raise WrongLayout(found or b"")


def _ask(connection: Any, *command: str | bytes) -> Any:
    connection.send_command(*command, check_health=False)
    return connection.read_response()
