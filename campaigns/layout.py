"""The version of what Postrider keeps in Redis, and the kind of server that keeps it: a process that meets another one
there works on nothing.

Both are compared on every new connection, before that connection's first command. So the checks come before any work,
also where Redis was away when the process started, or has been replaced by another one since.
"""

from __future__ import annotations

from typing import Any, Final

from redis import ResponseError
from redis.connection import AbstractConnection
from redis.exceptions import NoPermissionError

from campaigns import keys, server
from campaigns.server import WrongRedis

VERSION: Final = str(keys.LAYOUT_VERSION).encode()


class WrongLayout(WrongRedis):
    """Redis holds another layout; `docs/operations.md` (Upgrades) says what to do."""

    def __init__(self, found: bytes) -> None:
        super().__init__(
            f"Redis holds data in layout {found.decode(errors='replace')[:20]!r} and this version of Postrider works "
            f"with layout {keys.LAYOUT_VERSION} alone: run the version that made them, or use another database"
        )


def on_connect(connection: AbstractConnection, *, allow_unsafe: bool = False) -> None:
    """Prepare a new connection; redis-py's `redis_connect_func`. An empty Redis gets this layout's version.

    One that is empty and takes no writes now holds nothing to mistake, and is read from as it is.

    Args:
        connection: it stands, and nothing has been asked on it.
        allow_unsafe: see `server.check`.

    Raises:
        WrongRedis: the connection is closed again.
    """
    untyped: Any = connection
    # Without redis-py's health check, which would connect again, and that again, while Redis refuses everything.
    untyped.on_connect_check_health(check_health=False)
    try:
        info = server.parsed(_text(_ask(untyped, "INFO")))
    except NoPermissionError:
        info = server.parsed("")
    server.check(info, allow_unsafe=allow_unsafe)
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


def _text(answer: bytes | str) -> str:
    return answer if isinstance(answer, str) else answer.decode(errors="replace")
