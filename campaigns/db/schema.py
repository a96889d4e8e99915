"""Checks the schema version and the kind of Redis server. A process that finds a wrong one does no work.

Every new connection runs both checks before its first command. So the checks precede any work, even if Redis was
unavailable when the process started, or was replaced since. The first connection that finds the previous schema
migrates it.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from redis import RedisError, ResponseError
from redis.connection import AbstractConnection
from redis.exceptions import NoPermissionError

from campaigns import keys
from campaigns.db import scripts, server
from campaigns.db.server import WrongRedis

log = structlog.get_logger(__name__)

VERSION: Final = str(keys.SCHEMA_VERSION).encode()
#: The previous version, and the script that migrates it to this one.
PREVIOUS: Final = b"1"
MIGRATION: Final = "migrate_1_to_2"


class WrongSchema(WrongRedis):
    """Redis holds another schema; `docs/operations.md` (Upgrades) says what to do."""

    def __init__(self, found: bytes) -> None:
        super().__init__(
            f"Redis holds schema {found.decode(errors='replace')[:20]!r}, and this version of Postrider needs schema "
            f"{keys.SCHEMA_VERSION}: run the version that wrote it, or use another database"
        )


class PreviousVersionRuns(RedisError):
    """Workers of the previous version still run: stop them. This process then starts working on its own."""

    def __init__(self) -> None:
        super().__init__(PreviousVersionRuns.__doc__)


def on_connect(connection: AbstractConnection, *, allow_unsafe: bool = False) -> None:
    """Prepare a new connection; redis-py's `redis_connect_func`. An empty Redis gets this schema's version.

    An empty Redis that accepts no writes at the moment may be read, because it holds no data of another schema.

    Args:
        connection: an open connection that has carried no command yet.
        allow_unsafe: see `server.check`.

    Raises:
        WrongRedis: the connection is closed again.
        PreviousVersionRuns: likewise; a later connection may succeed.
    """
    untyped: Any = connection
    # Without redis-py's health check: while Redis refuses every command, the check would connect again without end.
    untyped.on_connect_check_health(check_health=False)
    try:
        info = server.parsed(_text(_ask(untyped, "INFO")))
    except NoPermissionError:
        info = server.parsed("")
    server.check(info, allow_unsafe=allow_unsafe)
    found = _ask(untyped, "GET", keys.SCHEMA)
    if found is None:
        try:
            _ask(untyped, "SET", keys.SCHEMA, VERSION, "NX")
        except ResponseError:
            return
        found = _ask(untyped, "GET", keys.SCHEMA)
    if found == PREVIOUS:
        found = _migrated(untyped)
    if found != VERSION:
        raise WrongSchema(found or b"")


def _migrated(connection: Any) -> bytes:
    """Migrate from the previous schema; return the version that Redis holds now.

    The same step closes all other clients' connections. A process of the previous version that still runs, such as a
    web process, then connects again, finds the new schema, and refuses to work.

    Raises:
        PreviousVersionRuns
        WrongRedis: Redis does not allow a step of the migration.
    """
    if _ask(connection, *_script(check_only=True)) == b"in use":
        raise PreviousVersionRuns
    try:
        for command in (("MULTI",), _script(check_only=False), ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")):
            _ask(connection, *command)
        migrated, _killed = _ask(connection, "EXEC")
    except ResponseError as error:
        raise WrongRedis(
            f"Redis refuses to migrate its data to schema {keys.SCHEMA_VERSION} ({error}): allow this user EVAL and "
            "CLIENT KILL, and start again"
        ) from error
    if migrated == b"in use":
        raise PreviousVersionRuns
    if migrated != b"migrated":
        return bytes(migrated)  # another process was faster
    log.warning("schema_migrated", found=PREVIOUS.decode(), now=keys.SCHEMA_VERSION)
    return VERSION


def _script(*, check_only: bool) -> tuple[str | int, ...]:
    """The command that runs the migration."""
    all_keys, all_args = scripts.signature(MIGRATION).encode(
        {"schema": keys.SCHEMA, "workers": keys.WORKERS, "campaigns": keys.CAMPAIGNS},
        {"key_prefix": keys.PREFIX, "check_only": check_only},
    )
    return "EVAL", scripts.source(MIGRATION), len(all_keys), *all_keys, *all_args


def _ask(connection: Any, *command: str | bytes | int) -> Any:
    connection.send_command(*command, check_health=False)
    return connection.read_response()


def _text(answer: bytes | str) -> str:
    return answer if isinstance(answer, str) else answer.decode(errors="replace")
