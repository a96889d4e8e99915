"""One log line per request: method, path, status and duration. Never a query, a body or an address."""

from __future__ import annotations

import logging
import re
import time
from http import HTTPStatus
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

#: Machines poll these every few seconds, so they are logged at the debug level only.
QUIET_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
#: What a page that is open asks for again and again, and the files of the pages. A success is logged at debug only.
_POLLED: Final = re.compile(r"/|/campaigns|/accounts|/campaigns/[^/]+(/status|/throughput)?|/(dashboard|docs)(/.*)?")
#: A path segment with characters that no id and no endpoint has: it may be anything, even an address.
_ODD_SEGMENT: Final = re.compile(r"[^/]*[^/A-Za-z0-9_.-][^/]*")
_LONGEST: Final = 200
#: An unsubscribe link's path: its last part is a credential.
_UNSUBSCRIBE_LINK: Final = re.compile(r"^/u/.*", re.DOTALL)


def replace_server_log() -> None:
    """Switch off uvicorn's line per request, which contains the query and adds nothing to ours."""
    server = logging.getLogger("uvicorn.access")
    server.handlers = []
    server.propagate = False


class RequestLog:
    """Writes the line when the response has ended, or the client has disconnected."""

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
            write = log.debug if _is_quiet(scope, status) else log.info
            write(
                "request_answered",
                method=scope["method"],
                path=_shown(scope["path"]),
                status=status,
                duration_ms=round((time.monotonic() - started) * 1000, 1),
            )


def _is_quiet(scope: Scope, status: int) -> bool:
    """Whether the request changes nothing and has nothing to tell, as machines and open pages send them."""
    read = scope["method"] in {"GET", "HEAD"} and status < HTTPStatus.BAD_REQUEST
    return scope["path"] in QUIET_PATHS or (read and _POLLED.fullmatch(scope["path"]) is not None)


def _shown(path: str) -> str:
    return _ODD_SEGMENT.sub("*", _UNSUBSCRIBE_LINK.sub("/u/*", path))[:_LONGEST]
