"""Limits the number of connections, and how long the server waits for a slow client.

uvicorn waits forever for the rest of a request's head, for a client that does not read its response, and for the rest
of a body that the application does not need. Its only hook for another behaviour is a command line option, and plain
`uvicorn api:app` has to be safe. `Connections` therefore finds uvicorn's configuration when the lifespan starts, before
the first connection, and mixes `Bounded` into the protocol class that the configuration names. `api.http.slow_bodies`
limits how long a body may take.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger(__name__)

#: How long a request's head may take, in seconds: from the connection, or from its first byte on a kept-open one.
HEAD_S: Final = 10.0
#: How long the rest of a body may take after the response, in seconds. The server discards it.
LINGER_S: Final = 30.0
#: How long a client may go without reading a byte of its response, in seconds.
STALL_S: Final = 60.0
#: The most connections at once; below the usual limit of 1,024 open files per process.
MAX_CONNECTIONS: Final = 800

_TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 49\r\n\r\nThe request's head took too long: send it at once"
)

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
else:
    Protocol = asyncio.Protocol


class Bounded(Protocol):
    """A mix-in for uvicorn's HTTP protocols: one connection, with timers that close it if the client is too slow."""

    _owed: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _unsent_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Expect a head; if there are too many connections, close the one that has waited longest for its head."""
        super().connection_made(transport)
        self._expect(HEAD_S)
        if len(self.connections) > MAX_CONNECTIONS:
            others = [one for one in self.connections if isinstance(one, Bounded) and one is not self]
            first = min(others, key=Bounded.deadline, default=self)
            (first if first.deadline() < self.deadline() else self).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes: of an expected head, of a body, or of a body that the server discards."""
        before = cast(Any, self.cycle)  # None before the first request
        super().data_received(data)
        answered = before is None or before.response_complete
        unread = before is not None and before.more_body
        if self.cycle is not before:
            self._expect(None)  # a head is complete
        elif answered and self._owed is None:
            self._expect(LINGER_S if unread else HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._expect(None)
        self._watch_reader(on=False)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads more slowly than the response is written."""
        super().pause_writing()
        self._watch_reader(on=True)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._watch_reader(on=False)
        super().resume_writing()

    def deadline(self) -> float:
        """When the head must be complete, by the loop's clock; infinity: no head is expected."""
        return self._owed.when() if self._owed is not None else float("inf")

    def _expect(self, within_s: float | None) -> None:
        if self._owed is not None:
            self._owed.cancel()
        self._owed = self.loop.call_later(within_s, self._too_slow) if within_s is not None else None

    def _too_slow(self) -> None:
        self._owed = None
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if cast(Any, self.cycle) is None:
            self.transport.write(_TOO_SLOW)
        self.transport.close()

    def _watch_reader(self, *, on: bool) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        self._stalled = None
        if on:
            self._unsent_bytes = self.transport.get_write_buffer_size()
            self._stalled = self.loop.call_later(STALL_S, self._look_at_reader)

    def _look_at_reader(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent_bytes:
            self._watch_reader(on=True)
        else:
            self.transport.abort()


class Connections:
    """Makes uvicorn limit its connections. Under another server it logs a warning and changes nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; at the lifespan's start, change the server's configuration."""
        if scope["type"] == "lifespan":
            bound(receive)
        await self._app(scope, receive, send)


def bound(receive: Receive) -> None:
    """Mix `Bounded` into the protocol class of the uvicorn server that owns this lifespan."""
    config = getattr(getattr(receive, "__self__", None), "config", None)  # of uvicorn.lifespan.on.LifespanOn
    chosen = getattr(config, "http_protocol_class", None)
    if config is None or not isinstance(chosen, type) or not hasattr(chosen, "on_response_complete"):
        log.warning(
            "connections_not_bounded", hint="use uvicorn with its lifespan on, or a proxy that limits slow clients"
        )
    elif not issubclass(chosen, Bounded):
        config.http_protocol_class = type(f"Bounded{chosen.__name__}", (Bounded, chosen), {})
