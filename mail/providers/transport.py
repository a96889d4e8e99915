"""The HTTP client of the providers: pooled keep-alive connections. It knows for sure if a request was written.

It is asyncio's own transports with `httptools`, Node.js' parser (why: `docs/adr/0003-http-client.md`). Behind a proxy,
`mail.providers.proxied_transport` takes its place. The provider interprets each status.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import httptools

from mail.providers.answers import Answer, NoAnswer, NotWritten

if TYPE_CHECKING:
    from mail.providers.proxied_transport import ProxiedTransport

__all__ = ["Answer", "NoAnswer", "NotWritten", "Transport", "transport_to"]

#: The longest wait for a connection with TLS, in seconds. It ends before the time of the whole request does.
CONNECT_TIMEOUT_S: Final = 5.0
#: How long an idle connection is kept, in seconds. Usual servers keep theirs longer (5 s and more), so that a request
#: is not written to a connection that the server is just closing.
POOL_IDLE_S: Final = 4.0
#: The most bytes of a response's body that are kept; an error's words stand at its beginning.
MAX_BODY_BYTES: Final = 1_000_000
#: The most bytes of a response's headers.
MAX_HEAD_BYTES: Final = 100_000

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def transport_to(url: str, headers: Mapping[str, str], timeout_s: float) -> Transport | ProxiedTransport:
    """The client for a URL: through a proxy if `HTTPS_PROXY` and the like say so.

    Args:
        url: the URL to post to.
        headers: the headers of each request.
        timeout_s: the time from the start of a request to the end of its response, in seconds.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    has_proxy = parts.scheme in proxies or "all" in proxies
    if has_proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        from mail.providers.proxied_transport import ProxiedTransport  # noqa: PLC0415 - rarely needed, and large

        return ProxiedTransport(url, headers, timeout_s)
    return Transport(url, headers, timeout_s)


class Transport:
    """Posts bodies to one URL, or gets it; the arguments are those of `transport_to`. Used in one event loop.

    Certificates are checked against the system's authorities (`SSL_CERT_FILE` names others). Redirects are not
    followed. The number of connections is not limited here; the caller limits its concurrent requests. A connection
    that the server has closed is dropped, and nothing is written to it.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._tls = _tls() if parts.scheme == "https" else None
        self._head = _head(url, headers)
        self._timeout_s = timeout_s
        self._connections: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Post one body.

        Args:
            body: the body.
            headers: headers of this request alone, beside those of each request.

        Raises:
            NotWritten: posting it again is safe.
            NoAnswer: the request may have had its effect.
        """
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() if headers else b""
        return await self._answer(b"POST%s%sContent-Length: %d\r\n\r\n%s" % (self._head, own, len(body), body))

    async def get(self) -> Answer:
        """Get the URL.

        Raises:
            NotWritten, NoAnswer: there is no response.
        """
        return await self._answer(b"GET%s\r\n" % self._head)

    async def _answer(self, request: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        connection = self._pooled(loop.time()) or await self._connected(loop)
        waiter: asyncio.Future[Answer] = loop.create_future()
        timer = loop.call_at(deadline, connection.give_up, NoAnswer(f"no response within {self._timeout_s:g} s"))
        connection.send(request, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            if waiter.cancelled():
                connection.give_up(NoAnswer("cancelled"))

    async def close(self) -> None:
        """Close all connections; a later `post` raises NotWritten."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._connections):
            connection.give_up(NoAnswer("the HTTP client was closed"))
        # One turn of the loop for the connections to close their sockets.
        await asyncio.sleep(0)

    def _pooled(self, now: float) -> _Connection | None:
        """The connection that was used last; None: there is none that is open and fresh."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.idle_since < POOL_IDLE_S:
                return connection
            connection.give_up(None)
        return None

    async def _connected(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        """A new connection. Raises NotWritten."""
        try:
            async with asyncio.timeout(min(CONNECT_TIMEOUT_S, self._timeout_s / 2)):
                connection = await self._connect(loop)
        except TimeoutError:
            raise NotWritten("no connection in time") from None
        except (OSError, UnicodeError) as error:
            raise NotWritten(_words(error)) from None
        self._connections.add(connection)
        if self._is_closed:
            connection.give_up(None)
        if not connection.is_open:
            raise NotWritten("the HTTP client is closed" if self._is_closed else "the server closed the connection")
        return connection

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        if self._is_closed:
            raise OSError("the HTTP client is closed")
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        # IPv4 first: uvloop tries one address after the other, and IPv6 that leads nowhere costs the whole time.
        addresses = sorted(found, key=lambda item: item[0] != socket.AF_INET)
        failure: OSError = OSError("no address")
        for family, _kind, protocol, _name, address in addresses:
            try:
                _, connection = await loop.create_connection(
                    lambda: _Connection(self),
                    str(address[0]),
                    int(address[1]),
                    family=family,
                    proto=protocol,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
            except ssl.SSLError:
                raise  # another address of the host has the same certificate
            except OSError as error:
                failure = error
            else:
                return connection
        raise failure

    def release(self, connection: _Connection) -> None:
        """Take back a connection after a response."""
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(POOL_IDLE_S, self._sweep)

    def forget(self, connection: _Connection) -> None:
        """Drop a connection that has been closed."""
        self._connections.discard(connection)

    def _sweep(self) -> None:
        """Close the connections that have been idle for too long."""
        loop = asyncio.get_running_loop()
        self._sweeping = None
        oldest = loop.time() - POOL_IDLE_S
        kept = [connection for connection in self._idle if connection.is_open and connection.idle_since > oldest]
        for connection in set(self._idle).difference(kept):
            connection.give_up(None)
        self._idle = kept
        if kept:
            self._sweeping = loop.call_later(POOL_IDLE_S, self._sweep)


class _Connection(asyncio.Protocol):
    """One connection: one request at a time. The methods named `on_...` are those that `httptools` calls."""

    __slots__ = (
        "_body",
        "_head_bytes",
        "_headers",
        "_parser",
        "_pool",
        "_runs_to_end",
        "_transport",
        "_waiter",
        "idle_since",
        "is_open",
    )

    def __init__(self, pool: Transport) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self.is_open = False
        self.idle_since = 0.0
        self.on_message_begin()

    def send(self, request: bytes, waiter: asyncio.Future[Answer]) -> None:
        """Write a request. The waiter gets the response, or NoAnswer."""
        self._waiter = waiter
        self._transport.write(request)

    def give_up(self, error: NoAnswer | None) -> None:
        """Close the connection at once; the request under way, if there is one, gets the error."""
        self.is_open = False
        self._transport.abort()
        self._pool.forget(self)
        if error is not None:
            self._fail(error)

    def _fail(self, error: NoAnswer) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is no Transport by class
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._pool.forget(self)
        if self._runs_to_end and exc is None:
            self._respond()
        self._fail(NoAnswer(_words(exc) if isinstance(exc, OSError) else "the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:  # a response to no request
            self.give_up(None)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.give_up(NoAnswer(f"no HTTP response: {error}"))

    def on_message_begin(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0
        #: Whether the end of the connection ends the response.
        self._runs_to_end = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("too many headers")
        self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        has_length = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        self._runs_to_end = self._is_final and not has_length

    def on_body(self, data: bytes) -> None:
        if sum(map(len, self._body)) < MAX_BODY_BYTES:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self._is_final:
            self._respond()

    @property
    def _is_final(self) -> bool:
        """Whether this is the response itself: one like 100 (Continue) comes before it."""
        return self._parser.get_status_code() >= 200

    def _respond(self) -> None:
        """Hand out the response, and the connection back."""
        waiter, self._waiter = self._waiter, None
        self._runs_to_end = False
        if waiter is None or waiter.done():
            return
        waiter.set_result(Answer(self._parser.get_status_code(), self._headers, b"".join(self._body)))
        if not self.is_open:
            return
        # A request that is not written to its end occupies the connection.
        if self._parser.should_keep_alive() and not self._transport.get_write_buffer_size():
            self.idle_since = asyncio.get_running_loop().time()
            self._pool.release(self)
        else:
            self.give_up(None)


def _words(error: OSError | UnicodeError) -> str:
    """An error without its number and without the address that `asyncio` adds."""
    number = (
        error.errno if isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror) else None
    )
    return os.strerror(number) if number else str(getattr(error, "strerror", None) or error)


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _head(url: str, headers: Mapping[str, str]) -> bytes:
    """The head of each request, from behind the method up to the headers of one request alone.

    Raises:
        ValueError: the URL, or a header, has a character that would end its line.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields: dict[str, Any] = {"Host": host, "User-Agent": "postrider", "Accept": "*/*", **headers}
    lines = [f" {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError("the URL or a header has a character that HTTP cannot carry")
    return "".join(f"{line}\r\n" for line in lines).encode()
