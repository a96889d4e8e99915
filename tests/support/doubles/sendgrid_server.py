"""The SendGrid double's server: HTTP/1.1 by hand on asyncio, fast enough that a benchmark measures its client.

`tests.support.doubles.sendgrid` starts it and talks to it; `sendgrid_rules` has the rules, `sendgrid_behaviour` the
responses. Control, on every port: GET /_stats, GET /_arrivals?since=N, GET /_violations,
GET and POST /_behaviour, POST /_reset.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import Counter
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.support.doubles.sendgrid_arrivals import Arrivals
from tests.support.doubles.sendgrid_behaviour import Answers, Behaviour
from tests.support.doubles.sendgrid_rules import MAX_REQUEST_BYTES, TOO_LARGE, Problem, problems, refused_early

MAX_VIOLATIONS_KEPT: Final = 1000
MAX_HEAD_BYTES: Final = 65_536
FLUSH_EVERY_S: Final = 0.2

#: The path at which an account's key is told its rights.
SCOPES: Final = "/v3/scopes"

MESSAGES: Final = {
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: "The from address does not match a verified Sender Identity.",
    413: TOO_LARGE,
    429: "too many requests",
}

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class Server:
    """One account at SendGrid: its behaviour, its arrivals, its listeners."""

    def __init__(self, behaviour: Behaviour, arrivals: Arrivals, key: str | None = None) -> None:
        self.arrivals = arrivals
        self.answers = Answers(behaviour)
        self._key = key.encode() if key else None
        self.connections: set[Connection] = set()
        self.opened = 0
        self._listener: asyncio.Server | None = None
        self.forget()

    def forget(self) -> None:
        """Start counting anew."""
        self.arrivals.clear()
        self.statuses: Counter[str] = Counter()
        self.violations: list[dict[str, Any]] = []
        self.violated = 0
        self.most_in_flight = 0
        self.in_flight = 0

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Accept connections (again); return the port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), host, port, ssl=tls, backlog=4096)
        self._address: tuple[str, int, ssl.SSLContext | None] = (host, self._listener.sockets[0].getsockname()[1], tls)
        return self._address[1]

    async def listen_for_control(self, host: str, port: int) -> int:
        """Accept connections on a port that `refuse_s` does not close; return the port."""
        control = await asyncio.get_running_loop().create_server(lambda: Connection(self, control=True), host, port)
        return int(control.sockets[0].getsockname()[1])

    def refuse(self, for_s: float) -> None:
        """Be away: refuse connections, close idle ones, and still respond to requests under way."""
        if self._listener:
            self._listener.close()
            self._listener = None
            for connection in list(self.connections):
                connection.leave()
            self._return = asyncio.create_task(self._come_back(for_s))

    async def _come_back(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.listen(*self._address)

    def control(self, method: str, target: str, body: bytes) -> bytes:
        """The response of the control interface, as JSON."""
        parts = urlsplit(target)
        match method, parts.path:
            case "GET", "/_stats":
                return _encode(self._stats())
            case "GET", "/_arrivals":
                return self.arrivals.page(int(parse_qs(parts.query).get("since", ["0"])[0]))
            case "GET", "/_violations":
                return _encode(self.violations)
            case "POST", "/_behaviour":
                named = _decode(body or b"{}")
                wanted = msgspec.to_builtins(self.answers.behaviour) | {"refuse_s": 0.0} | named
                self.answers.become(msgspec.convert(wanted, Behaviour), rules_go_on="rules" not in named)
                if self.answers.behaviour.refuse_s:
                    self.refuse(self.answers.behaviour.refuse_s)
            case "POST", "/_reset":
                self.forget()
            case _ if (method, parts.path) != ("GET", "/_behaviour"):
                raise ValueError("no such control")
        return _encode(self.answers.behaviour)

    def _stats(self) -> dict[str, Any]:
        return {
            "requests": self.statuses.total(),
            "accepted": self.arrivals.accepted,
            "duplicates": self.arrivals.duplicates,
            "violations": self.violated,
            "answers": dict(self.statuses),
            "connections": len(self.connections),
            "connections_opened": self.opened,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }

    def respond(
        self, method: str, target: str, headers: dict[bytes, bytes], body: bytes
    ) -> tuple[str, int, list[Problem]]:
        """The response to a request, its number among the arrivals (-1 if it is not one of them), and the problems that
        it names.
        """
        answer, broken = refused_early(method, target, headers, body)
        if answer is None and self._key and headers[b"authorization"][len(b"bearer ") :] != self._key:
            answer = "401"
        number, named = -1, list[Problem]()
        if answer is None:
            payload = _parsed(body)
            broken = problems(payload)
            if broken:
                answer = "400"
            else:
                addresses = [item["to"][0]["email"] for item in payload["personalizations"]]
                answer, at_fault = self.answers.choose(addresses)
                if at_fault is not None and len(addresses) > 1 and self.answers.behaviour.names_recipients:
                    field = f"personalizations.{at_fault}.to.0.email"
                    named = [Problem(field, "Does not contain a valid address.")] if answer == "400" else []
                accepted = answer == "202" or answer.startswith("accept-")
                number = self.arrivals.add(payload, answer, accepted)
        if broken:
            self._violate(answer, broken, body)
        self.statuses[answer] += 1
        return answer, number, broken or named

    def _violate(self, answer: str, broken: list[Problem], body: bytes) -> None:
        self.violated += 1
        if len(self.violations) < MAX_VIOLATIONS_KEPT:
            shown = body[:2000].decode("utf-8", "replace")
            found = [item._asdict() for item in broken]
            self.violations.append({"answer": answer, "problems": found, "body": shown})


@lru_cache(maxsize=1024)
def _head(raw: bytes) -> tuple[str, dict[bytes, bytes]]:
    """A request's first line and its headers: much the same from one request to the next."""
    first, *lines = raw.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return first.decode("latin-1"), headers


def _parsed(body: bytes) -> Any:
    try:
        return _decode(body)
    except msgspec.DecodeError:
        return None


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests in turn, each answered after the latency."""

    def __init__(self, server: Server, *, control: bool = False) -> None:
        self._server = server
        self._for_control = control
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is no Transport by class
        if not self._for_control:
            self._server.connections.add(self)
            self._server.opened += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._server.connections.discard(self)
        self._done()

    def leave(self) -> None:
        """Close as soon as no request is under way."""
        self._server.connections.discard(self)
        if not self._busy:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                self._transport.abort()
            return
        first, headers = _head(bytes(self._buffer[:end]))
        start = end + 4
        stop = start + int(headers.get(b"content-length", b"0"))
        if b"transfer-encoding" in headers or stop - start > MAX_REQUEST_BYTES + 1_000_000:
            self._write("413", [], -1)
            self._transport.close()
        elif len(self._buffer) >= stop:
            body = bytes(self._buffer[start:stop])
            del self._buffer[:stop]
            self._request(first, headers, body)

    def _request(self, first: str, headers: dict[bytes, bytes], body: bytes) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        method, target, _ = first.split(" ", 2)
        if target.startswith("/_") or self._for_control:
            self._control(method, target, body)
            return
        if (method, target) == ("GET", SCOPES):
            self._send(200, _encode({"scopes": ["mail.send"]}))
            self._next()
            return
        self._busy = True
        server = self._server
        answer, number, broken = server.respond(method, target, headers, body)
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        wait_s = server.answers.latency_s()
        if wait_s:
            self._timer = self._loop.call_later(wait_s, self._answer, answer, broken, number)
        else:
            self._answer(answer, broken, number)

    def _control(self, method: str, target: str, body: bytes) -> None:
        try:
            self._send(200, self._server.control(method, target, body))
        except (ValueError, TypeError) as error:
            self._send(422, _encode({"error": str(error)}))
        self._next()

    def _answer(self, answer: str, broken: list[Problem], number: int) -> None:
        kind = answer.removeprefix("accept-")
        if kind == "hang":
            return
        if kind == "reset":
            self._transport.abort()
            return
        self._write(kind, broken, number)
        self._done()
        if self not in self._server.connections:
            self._transport.close()
        elif self._server.answers.behaviour.idle_ms is not None:
            self._timer = self._loop.call_later(self._server.answers.behaviour.idle_ms / 1000, self._transport.close)
        if self._buffer:
            self._next()

    def _done(self) -> None:
        if self._busy:
            self._busy = False
            self._server.in_flight -= 1

    def _write(self, answer: str, broken: list[Problem], number: int) -> None:
        if answer == "202":
            self._send(202, b"", b"X-Message-Id: double-%015d\r\n" % number)
            return
        status = int(answer)
        if self._server.answers.behaviour.html_errors:
            self._send(
                status, b"<html><body><h1>%d %s</h1></body></html>" % (status, _phrase(status)), b"", b"text/html"
            )
            return
        found = broken or [Problem(None, MESSAGES.get(status, f"the double answers {status}"))]
        errors = [{"message": item.message, "field": item.field, "help": None} for item in found]
        self._send(status, _encode({"errors": errors}), self._waits(status))

    def _waits(self, status: int) -> bytes:
        if 300 <= status < 400:
            return b"Location: /elsewhere\r\n"
        if status not in {429, 503}:
            return b""
        answers = self._server.answers
        if answers.behaviour.limit is not None and status == 429:
            return b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: %d\r\n" % (
                answers.behaviour.limit, math.ceil((answers.window + 1) * answers.behaviour.window_s)
            )  # fmt: skip
        return _retry_after(answers.behaviour)

    def _send(self, status: int, body: bytes, more: bytes = b"", kind: bytes = b"application/json") -> None:
        head = b"HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (
            status, _phrase(status), _date(int(time.time())), kind, len(body)
        )  # fmt: skip
        self._transport.write(head + more + b"\r\n" + body)


def _retry_after(behaviour: Behaviour) -> bytes:
    if behaviour.retry_after_s is None:
        return b""
    then_s = time.time() + behaviour.retry_after_s
    match behaviour.retry_after_as:
        case "seconds":
            return b"Retry-After: %d\r\n" % behaviour.retry_after_s
        case "date":
            return b"Retry-After: %s\r\n" % formatdate(then_s, usegmt=True).encode()
        case "reset":
            return b"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: %d\r\n" % then_s


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"


_dates: dict[int, bytes] = {}


def _date(second: int) -> bytes:
    if second not in _dates:
        _dates.clear()
        _dates[second] = formatdate(second, usegmt=True).encode()
    return _dates[second]
