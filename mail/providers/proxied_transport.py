"""The HTTP client of the providers behind a proxy. It knows for sure if a request was written.

This is the only file that knows pyreqwest (why: `docs/adr/0003-http-client.md`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

# How long the client's allocator, mimalloc, keeps free memory, in ms; it reads this when it is loaded. With its default
# of 10 ms, a sending process keeps returning pages and getting cleared ones: 8 % of its speed (`docs/benchmarks.md`).
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "60000")

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PoolTimeoutError

from mail.providers.answers import Answer, NoAnswer, NotWritten

#: As in `mail.providers.transport`. A connection's time ends before that of the whole request does, so that a failed
#: connection is never mistaken for a request without a response.
CONNECT_TIMEOUT_S: Final = 5.0
POOL_IDLE_S: Final = 4.0

#: hyper's message for every failure before the connection was established. pyreqwest's exception classes do not tell:
#: it raises ConnectError also for a reset after the request was written, and ConnectTimeoutError also for a response
#: that came too late. Every other message counts as written, so that a changed text is safe.
_NOT_CONNECTED: Final = "client error (Connect)"


class ProxiedTransport:
    """Posts bodies to one URL.

    Certificates are checked against the system's authorities (`SSL_CERT_FILE` names others). `HTTPS_PROXY` and
    `NO_PROXY` apply. Redirects are not followed. The number of connections is not limited here; the caller limits its
    concurrent requests. If a pooled connection turns out to be closed, the request goes out on another one, but only if
    no byte of it was written.

    Args:
        url: the URL to post to.
        headers: the headers of each request.
        timeout_s: the time from the start of a request to the end of its response, in seconds.
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

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Post one body.

        Args:
            body: the body.
            headers: headers of this request alone, beside those of each request.

        Raises:
            NotWritten: posting it again is safe.
            NoAnswer: the request may have had its effect.
        """
        return await self._answer("POST", headers or {}, body)

    async def get(self) -> Answer:
        """Get the URL.

        Raises:
            NotWritten, NoAnswer: there is no response.
        """
        return await self._answer("GET", {}, b"")

    async def _answer(self, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._client is None:
            raise NotWritten("the HTTP client is closed")
        try:
            request = self._client.request(method, self._url).body_bytes(body).headers(dict(headers))
            response = await request.build().send()
            named: dict[bytes, bytes] = {}
            for name, value in response.headers.items():
                named.setdefault(name.lower().encode(), value.encode("latin-1"))
            return Answer(response.status, named, bytes(await response.bytes()))
        except DetailedPyreqwestError as error:
            raise _failure(error) from None

    async def close(self) -> None:
        """Close all connections; a later `post` raises NotWritten."""
        client, self._client = self._client, None
        if client is not None:
            # This stops running requests; idle connections close with the last reference to the client.
            await client.close()


def _failure(error: DetailedPyreqwestError) -> NotWritten | NoAnswer:
    causes = [cause["message"] for cause in error.details.get("causes") or ()]
    words = causes[-1] if causes else error.message
    if _NOT_CONNECTED in causes or isinstance(error, BuilderError | PoolTimeoutError):
        return NotWritten(words)
    return NoAnswer(words)
