"""Following a campaign's status: Server-Sent Events (WHATWG HTML, 9.2), with a new connection after each loss."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from cli.connection import BROKEN, Connection
from cli.session import path_of
from cli.wording import ENDED

#: How long a watch waits for a server that is away, in seconds: longer than other commands, since campaigns take hours.
PATIENCE_S: Final = 600.0
#: The wait before a stream that has ended is opened again, in seconds.
REOPEN_S: Final = 1.0


def statuses(connection: Connection, campaign_id: str) -> Iterator[dict[str, Any]]:
    """The status now and after each change, until the campaign has ended; that status is the last one.

    Raises:
        ApiError: the API returned a problem, such as 404.
        Unreachable: the server was away for longer than the patience.
    """
    patience_s = max(PATIENCE_S, connection.patience_s)
    while True:
        with connection.open(path_of(campaign_id, "/events"), patience_s) as stream:
            try:
                for status in decoded(stream):
                    yield status
                    if status["status"] in ENDED:
                        return
            except BROKEN:
                connection.note("The connection broke; connecting again.")
        connection.sleep(REOPEN_S)


def decoded(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects in the `data` fields of an event stream; comments and other fields are ignored."""
    data: list[str] = []
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield json.loads("\n".join(data))
            data = []


def until_parsed(connection: Connection, campaign_id: str) -> dict[str, Any]:
    """Wait until the list is parsed; return the status then."""
    status: dict[str, Any] = {}
    for status in statuses(connection, campaign_id):
        if status["status"] != "parsing":
            return status
    return status
