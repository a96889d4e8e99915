"""One log line a request: what was asked, what was answered, how long it took. No query, no body, no address."""

from __future__ import annotations

import logging
import re
import time
from http import HTTPStatus
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

#: Asked every few seconds by machines: not worth a line at the default level.
QUIET_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
#: A path segment with other characters than ids and our own names have: it may be anything, an address even.
_ODD_SEGMENT: Final = re.compile(r"[^/]*[^/A-Za-z0-9_.-][^/]*")
_LONGEST: Final = 200


def replace_server_log() -> None:
    """Switch uvicorn's own line a request off: it has the query in it and says nothing more."""
    server = logging.getLogger("uvicorn.access")
    server.handlers = []
    server.propagate = False


class RequestLog:
    """Writes the line when the answer has ended, or the client has left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and time it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            write = log.debug if scope["path"] in QUIET_PATHS else log.info
            write(
                "request_answered",
                method=scope["method"],
                path=_ODD_SEGMENT.sub("*", scope["path"])[:_LONGEST],
                status=status,
                duration_ms=round((time.monotonic() - started) * 1000, 1),
            )
