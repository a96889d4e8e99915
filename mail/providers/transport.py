"""The HTTP client: one pooled keep-alive client a process, and one question answered surely: was anything written?

The only file that knows pyreqwest (why: `docs/adr/0003-http-client.md`). What a status means is the provider's to say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

#: How long the client's allocator, mimalloc, keeps memory that is free, in ms; it looks when it is loaded. By its own
#: 10 ms a sending process gives pages back and has them cleared anew all the time: 8 % of its speed
#: (`docs/benchmarks.md`).
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "60000")

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PoolTimeoutError
from pyreqwest.response import Response

#: The longest wait for a connection, TLS included. It ends before the whole request's time does, so that a connection
#: that cannot be made is never taken for a request without an answer.
CONNECT_TIMEOUT_S: Final = 5.0

#: How long an idle connection is kept: less than any usual server keeps it (5 s and more), so that a request is not
#: written into a connection that the server closes at that moment.
POOL_IDLE_S: Final = 4.0

#: What hyper calls each failure before a connection stood. The classes of pyreqwest do not tell: it raises ConnectError
#: for a reset after the request was written, and ConnectTimeoutError for an answer that did not come in time.
#: Anything else counts as written, also if this text should change one day.
_NOT_CONNECTED: Final = "client error (Connect)"


class NotWritten(Exception):
    """Nothing of the request was written: no name, no connection, no trust in the server's certificate."""


class NoAnswer(Exception):
    """The request, or some of it, was written, and no whole answer came."""


class Answer:
    """A whole HTTP answer."""

    __slots__ = ("_response", "status")

    def __init__(self, response: Response) -> None:
        self._response = response
        self.status = response.status

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in any case."""
        return self._response.get_header(name)

    async def body(self) -> bytes:
        """The body, which has been read already."""
        return bytes(await self._response.bytes())


class Transport:
    """Posts bodies to one address.

    Certificates are checked against the system's authorities (`SSL_CERT_FILE` names others), the usual `HTTPS_PROXY`
    and `NO_PROXY` are honoured, redirects are not followed, and there is no limit to the number of connections: whoever
    sends bounds that. A request on a pooled connection that turns out to be closed goes out on another one, but only
    when nothing of it had been written.

    Args:
        url: where to.
        headers: sent with each request.
        timeout_s: from the start of a request to the end of its answer.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self._url = url
        self._client: Client | None = (
            ClientBuilder()
            .default_headers(dict(headers))
            .user_agent("postrider")
            .timeout(timedelta(seconds=timeout_s))
            .connect_timeout(timedelta(seconds=min(CONNECT_TIMEOUT_S, timeout_s / 2)))
            .pool_idle_timeout(timedelta(seconds=POOL_IDLE_S))
            .follow_redirects(enable=False)
            .http1_only()
            .gzip(enable=False)
            .brotli(enable=False)
            .zstd(enable=False)
            .deflate(enable=False)
            .build()
        )

    async def post(self, body: bytes) -> Answer:
        """Post one body.

        Raises:
            NotWritten: it can safely be posted again.
            NoAnswer: it may have had its effect.
        """
        if self._client is None:
            raise NotWritten("the HTTP client is closed")
        try:
            return Answer(await self._client.post(self._url).body_bytes(body).build().send())
        except DetailedPyreqwestError as error:
            raise _failure(error) from None

    async def close(self) -> None:
        """Close all connections; what is posted afterwards is not written."""
        client, self._client = self._client, None
        if client is not None:
            # This stops what is under way; the idle connections go with the last reference.
            await client.close()


def _failure(error: DetailedPyreqwestError) -> NotWritten | NoAnswer:
    causes = [cause["message"] for cause in error.details.get("causes") or ()]
    words = causes[-1] if causes else error.message
    if _NOT_CONNECTED in causes or isinstance(error, BuilderError | PoolTimeoutError):
        return NotWritten(words)
    return NoAnswer(words)
