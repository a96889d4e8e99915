"""Where a campaign stands: once, and live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import components, inputs
from api.answers import as_json
from api.feeds import Feeds

#: A comment goes out after so much silence, in seconds, so that nobody on the way takes the connection for dead.
HEARTBEAT_S: Final = 15.0
#: How long a browser waits before it connects again, in ms.
RETRY_MS: Final = 2000

#: The methods of requests that change nothing.
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_EVENT_STREAM: Final = "text/event-stream"
#: Tells proxies that buffer answers to leave this one alone.
_LIVE: Final = {"X-Accel-Buffering": "no"}


def status(request: Request) -> Response:
    """The status, its figures all of one instant after the request has come."""
    return as_json(components.of(request).progress.report(inputs.campaign_id(request)))


async def events(request: Request) -> Response:
    """Server-Sent Events (WHATWG HTML, 9.2): the status now, and whenever it changes, until the client leaves."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    await run_in_threadpool(parts.progress.report, campaign_id)  # an unknown campaign, or Redis away: no stream
    if request.method == "HEAD":
        return Response(None, HTTPStatus.OK, _LIVE, media_type=_EVENT_STREAM)
    return StreamingResponse(_stream(parts.feeds, campaign_id), headers=_LIVE, media_type=_EVENT_STREAM)


async def _stream(feeds: Feeds, campaign_id: str) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % RETRY_MS
    async with feeds.watch(campaign_id) as listener:
        while not listener.ended:
            if heard := await listener.next(HEARTBEAT_S):
                yield b"id: %d\ndata: %s\n\n" % heard
            elif not listener.ended:
                yield b": still here\n\n"


class Changes:
    """Tells the feeds of every request that may have changed a campaign, before it is answered: those who listen hear
    of the change at once, and after that answer nothing from before it.
    """

    def __init__(self, app: ASGIApp, feeds: Feeds) -> None:
        self._app = app
        self._feeds = feeds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] in _HARMLESS:
            await self._app(scope, receive, send)
            return

        async def tell_and_send(message: Message) -> None:
            if message["type"] == "http.response.start" and (campaign_id := scope.get("path_params", {}).get("id")):
                self._feeds.changed(campaign_id)
            await send(message)

        await self._app(scope, receive, tell_and_send)
