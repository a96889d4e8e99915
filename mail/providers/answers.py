"""What comes of an HTTP request: a response, or one of two failures."""

from __future__ import annotations

from collections.abc import Mapping


class NotWritten(Exception):
    """No byte of the request was written: no address, no connection, or no valid certificate of the server."""


class NoAnswer(Exception):
    """The request was written, at least in part, and no complete response came."""


class Answer:
    """A complete HTTP response. `headers`: the first value of each, by its name in lower case."""

    __slots__ = ("_body", "_headers", "status")

    def __init__(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> None:
        self.status = status
        self._headers = headers
        self._body = body

    def header(self, name: str) -> str | None:
        """The first value of a header; the case of its name does not matter."""
        value = self._headers.get(name.lower().encode())
        return None if value is None else value.decode("latin-1")

    async def body(self) -> bytes:
        """The body, which has already arrived."""
        return self._body
