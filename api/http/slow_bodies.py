"""Limits how long a request's body may take. A client that is too slow gets a 408, and its connection is closed.

Only the time during which the application waits for the client counts, and only until the response begins.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import Problem

#: How long a client may send nothing, in seconds.
GAP_S: Final = 10.0
#: The average rate that a client must reach after the first GAP_S, in bytes per second.
LEAST_BYTES_PER_S: Final = 8 * 1024


class SlowBodies:
    """Gives the application the body as it arrives; raises a problem (408) when the client is too slow."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch how fast its body arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def send_and_note(message: Message) -> None:
            body.answered = True
            await send(message)

        await self._app(scope, body.receive, send_and_note)


class _Body:
    """One request's body while it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False
        self._waited_s = 0.0
        self._bytes = 0
        self.answered = False

    async def receive(self) -> Message:
        """The next message: a piece of the body, or that the client has disconnected.

        Raises:
            Problem: 408: the client is too slow.
        """
        if self._complete or self.answered:
            return await self._receive()
        started = time.monotonic()
        allowed_s = min(GAP_S, GAP_S + self._bytes / LEAST_BYTES_PER_S - self._waited_s)
        if allowed_s <= 0:
            raise _too_slow()
        try:
            async with asyncio.timeout(allowed_s):
                message = await self._receive()
        except TimeoutError:
            if self.answered:  # the response has begun meanwhile, so this waits only for the client to disconnect
                return await self._receive()
            raise _too_slow() from None
        self._waited_s += time.monotonic() - started
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message


def _too_slow() -> Problem:
    detail = (
        f"The body came too slowly: nothing for {GAP_S:g} s, or less than {LEAST_BYTES_PER_S // 1024} KiB per second. "
        "Send it again over a faster connection, or upload a list in parts."
    )
    return Problem(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"})
