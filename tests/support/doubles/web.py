"""Calls an ASGI application without a server, and can do what HTTP clients cannot: disconnect half-way, come from
another address.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

LOOPBACK: Final = ("127.0.0.1", 50_000)
#: The longest that a call may take, in seconds.
PATIENCE_S: Final = 60.0


@dataclass
class Answer:
    """The response. Header names are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """The detail of a problem, after a check of its form."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["type"]
        assert problem["title"]
        return str(problem["detail"])


class Web:
    """A client of an application.

    Args:
        app: the application.
        client: the address that requests seem to come from; None: a Unix socket.
        headers: sent with every request.
    """

    def __init__(
        self, app: ASGIApp, client: tuple[str, int] | None = LOOPBACK, headers: Mapping[str, str] | None = None
    ) -> None:
        self.app = app
        self._client = client
        self._headers = {"Host": "localhost:8080", **(headers or {})}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("POST", path, body, headers)

    def put(self, path: str, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("PUT", path, body, headers)

    def request(self, method: str, path: str, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and wait for its response.

        Args:
            method: the method.
            path: path and query.
            body: bytes, several of them (chunks, without Content-Length), or anything else as JSON. A None among the
                chunks: the client disconnects there.
            headers: sent in addition to those of the client.
        """
        if isinstance(body, bytes):
            chunks: list[bytes | None] = [body]
        elif isinstance(body, (list, tuple)) and all(isinstance(chunk, bytes | None) for chunk in body):
            chunks = list(body)
        else:
            chunks = [json.dumps(body).encode()]
        return asyncio.run(self._call(method, path, chunks, headers or {}))

    async def _call(self, method: str, path: str, chunks: list[bytes | None], headers: Mapping[str, str]) -> Answer:
        answer = Answer()
        async with asyncio.timeout(PATIENCE_S):
            async with aclosing(self.messages(method, path, chunks, headers)) as messages:
                async for message in messages:
                    if message["type"] == "http.response.start":
                        answer.status = message["status"]
                        answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
                    else:
                        answer.body += message.get("body", b"")
        return answer

    async def messages(
        self, method: str, path: str, chunks: Iterable[bytes | None] = (), headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Message, None]:
        """The response as it comes. Closing the generator disconnects."""
        out: asyncio.Queue[Message | None] = asyncio.Queue()
        gone = asyncio.Event()
        call = asyncio.create_task(self._run(method, path, _receiver(list(chunks), gone), out, headers or {}))
        try:
            while (message := await out.get()) is not None:
                yield message
            await call
        finally:
            gone.set()
            with suppress(BaseException):
                await call

    async def _run(
        self,
        method: str,
        path: str,
        receive: Callable[[], Any],
        out: asyncio.Queue[Message | None],
        headers: Mapping[str, str],
    ) -> None:
        async def send(message: Message) -> None:
            await out.put(message)

        try:
            await self.app(self._scope(method, path, headers), receive, send)
        finally:
            await out.put(None)

    def _scope(self, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        raw, _, query = path.partition("?")
        every = {**self._headers, **headers}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in every.items()],
            "client": self._client,
            "server": ("127.0.0.1", 8080),
        }


def _receiver(chunks: list[bytes | None], gone: asyncio.Event) -> Callable[[], Any]:
    async def receive() -> Message:
        if not chunks:
            await gone.wait()
            return {"type": "http.disconnect"}
        chunk = chunks.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    return receive
