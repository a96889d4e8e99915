"""Pins how the HTTP client reports each failure.

Two promises rely on this: no row is sent twice, and no row stays unknown without need. Each test's server is a few
lines on a loopback port that break off at one exact place.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from mail.providers import proxied_transport, transport
from mail.providers.proxied_transport import ProxiedTransport
from mail.providers.transport import NoAnswer, NotWritten, Transport, transport_to
from tests.support.doubles.certificate import Certificate

T = TypeVar("T")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

#: For failures that come at once, and for those that only a timeout reports.
TIMEOUT_S = 60.0
SHORT_S = 1.0
#: More than the kernel's buffers hold, so that it cannot be written at once.
LARGE = b"x" * 20_000_000
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


Client = Transport | ProxiedTransport

#: The kind of client of the test that runs, and its event loop. Workers use uvloop; the web process may run without it.
_chosen: list[tuple[type[Client], Callable[[], asyncio.AbstractEventLoop]]] = []


@pytest.fixture(
    autouse=True,
    params=[
        pytest.param((Transport, uvloop.new_event_loop), id="uvloop"),
        pytest.param((Transport, asyncio.new_event_loop), id="asyncio"),
        pytest.param((ProxiedTransport, uvloop.new_event_loop), id="proxied"),
    ],
)
def _choice(request: pytest.FixtureRequest) -> None:
    _chosen[:] = [request.param]


def run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=_chosen[0][1]) as runner:
        return runner.run(work)


def client_to(url: str, headers: dict[str, str], timeout_s: float) -> Client:
    return _chosen[0][0](url, headers, timeout_s)


async def head(reader: asyncio.StreamReader) -> int:
    """Read a request's head; return the length of its body."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    return next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))


async def request(reader: asyncio.StreamReader) -> None:
    await reader.readexactly(await head(reader))


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def closes_after_request(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await request(reader)


async def resets_after_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    reset(writer)


async def resets_after_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    reset(writer)


async def resets_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def never_answers(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined] # a reader's transport can
    await reader.read(-1)


def answers(data: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(data)

    return handle


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on a free port, and its address; all its connections are closed in the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await handler(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(converse(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # One turn of the loop for the transports to close their sockets.
        await asyncio.sleep(0)


def result(
    handler: Handler, body: bytes = b"{}", *, tls: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S
) -> int | type[Exception]:
    """The status of the response, or the exception's class."""

    async def post() -> int | type[Exception]:
        async with serving(handler, tls) as url:
            return await once(url, body, timeout_s)

    return run(post())


async def once(url: str, body: bytes = b"{}", timeout_s: float = TIMEOUT_S) -> int | type[Exception]:
    client = client_to(url, {}, timeout_s)
    try:
        return await outcome(client, body)
    finally:
        await client.close()


async def outcome(client: Client, body: bytes = b"{}") -> int | type[Exception]:
    try:
        return (await client.post(body)).status
    except (NotWritten, NoAnswer) as error:
        return type(error)


@pytest.mark.parametrize("body", [b"{}", LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "handler",
    [
        closes_after_request,
        resets_after_request,
        resets_after_head,
        answers(b"HTTP/1.1 202 Acc"),
        answers(b"SMTP ready\r\n\r\n"),
        answers(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nabc"),
        answers(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        answers(b"HTTP/1.1 202 Accepted\r\nX-A: 1\r\n"),
        answers(
            b"HTTP/1.1 202 Accepted\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(200)) + b"\r\n"
        ),
        answers(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_a_request_that_the_server_may_have_read_has_no_answer(handler: Handler, body: bytes) -> None:
    assert result(handler, body) is NoAnswer


@pytest.mark.parametrize("body", [b"{}", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("handler", [never_answers, never_reads])
def test_a_request_without_a_response_in_time_has_no_answer(handler: Handler, body: bytes) -> None:
    assert result(handler, body, timeout_s=SHORT_S) is NoAnswer


def test_a_request_on_a_connection_that_breaks_at_once_is_not_repeated() -> None:
    """The server has read nothing; whether the client has written something depends on which was faster."""
    assert result(resets_at_once) in {NoAnswer, NotWritten}


def test_a_response_before_the_whole_request_was_read_counts() -> None:
    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = await head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await reader.readexactly(length)

    assert result(too_large, LARGE) == 413


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\nX-Name: first\r\nx-name: second\r\n\r\nabc",
        b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\nX-NAME: first\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        b"HTTP/1.0 400 Bad\r\nX-Name: first\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\nX-Name: no\r\n\r\nHTTP/1.1 400 Bad\r\nX-Name: first\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["length", "chunked", "until the end", "after 100"],
)
@pytest.mark.parametrize("pieces", [1, 1000])
def test_a_response_is_read_whatever_its_form(response: bytes, pieces: int) -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        step = max(1, len(response) // pieces)
        for start in range(0, len(response), step):
            writer.write(response[start : start + step])
            await asyncio.sleep(0)

    async def post() -> tuple[int, str | None, bytes]:
        async with serving(in_pieces) as url:
            client = client_to(url, {}, TIMEOUT_S)
            answer = await client.post(b"{}")
            await client.close()
            return answer.status, answer.header("x-NAME"), await answer.body()

    assert run(post()) == (400, "first", b"abc")


def test_a_request_is_complete_with_all_headers() -> None:
    received: list[bytes] = []

    async def keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        received.append(await reader.readexactly(4))
        writer.write(ACCEPTED)

    async def post() -> str:
        async with serving(keeps) as url:
            client = client_to(f"{url}v3/send?a=1", {"X-All": "yes"}, TIMEOUT_S)
            await client.post(b"body", {"X-Own": "1"})
            await client.close()
            return url.removeprefix("http://").rstrip("/")

    host = run(post())
    first, *lines = received[0].decode().strip().split("\r\n")
    assert first == "POST /v3/send?a=1 HTTP/1.1"
    assert sorted(map(str.lower, lines)) == [
        "accept: */*", "content-length: 4", f"host: {host}", "user-agent: postrider", "x-all: yes", "x-own: 1"
    ]  # fmt: skip
    assert received[1] == b"body"


def test_a_url_can_be_read() -> None:
    async def reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(first), first))

    async def get() -> bytes:
        async with serving(reads) as url:
            client = client_to(f"{url}v3/scopes", {}, TIMEOUT_S)
            answer = await client.get()
            await client.close()
            return await answer.body()

    assert run(get()) == b"GET /v3/scopes HTTP/1.1"


def test_a_cancelled_request_frees_its_connection_and_disturbs_no_other() -> None:
    """Given a request that is cancelled while its response is on the way, then the next one gets its own response."""
    numbers = iter(range(200, 300))
    arrived = asyncio.Event()

    async def slow_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            number = next(numbers)
            arrived.set()
            if number == 200:
                await asyncio.sleep(0.1)
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % number)

    async def post() -> list[int | type[Exception]]:
        async with serving(slow_at_first) as url:
            client = client_to(url, {}, TIMEOUT_S)
            first = asyncio.create_task(client.post(b"{}"))
            await arrived.wait()
            first.cancel()
            found = [await outcome(client) for _ in range(3)]
            await client.close()
            return found

    assert run(post()) == [201, 202, 203]


def test_closing_ends_requests_under_way_and_refuses_later_ones() -> None:
    async def post() -> list[int | type[Exception]]:
        async with serving(never_answers) as url:
            client = client_to(url, {}, TIMEOUT_S)
            under_way = asyncio.create_task(outcome(client))
            await asyncio.sleep(0.2)
            await client.close()
            return [await under_way, await outcome(client)]

    assert run(post()) == [NoAnswer, NotWritten]


def test_a_response_to_no_request_closes_its_connection() -> None:
    connections = 0

    async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await request(reader)
        writer.write(ACCEPTED)
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 500 Nobody asked\r\nContent-Length: 0\r\n\r\n")
        await reader.read(-1)

    async def post() -> list[int | type[Exception]]:
        async with serving(talks) as url:
            client = client_to(url, {}, TIMEOUT_S)
            found = [await outcome(client)]
            await asyncio.sleep(0.3)
            found.append(await outcome(client))
            await client.close()
            return found

    assert run(post()) == [202, 202]
    assert connections == 2


@pytest.mark.parametrize("header", ["a\r\nX-B: 1", "é"])
def test_a_header_that_http_cannot_carry_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="HTTP cannot carry"):
        Transport("http://127.0.0.1:1/", {"X-A": header}, TIMEOUT_S)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Transport),
        ({"https_proxy": "http://proxy.test:3128"}, ProxiedTransport),
        ({"all_proxy": "http://proxy.test:3128"}, ProxiedTransport),
        ({"https_proxy": "http://proxy.test:3128", "no_proxy": "sendgrid.com"}, Transport),
        ({"http_proxy": "http://proxy.test:3128"}, Transport),
    ],
    ids=["none", "https", "all", "excepted", "http"],
)
def test_a_proxy_of_the_environment_is_used(
    variables: dict[str, str], expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert isinstance(transport_to("https://api.sendgrid.com/v3", {}, 1), expected)


def test_a_refused_connection_is_not_written() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        assert run(once(url)) is NotWritten


def test_an_unknown_host_is_not_written() -> None:
    assert run(once("http://no-such-host.invalid/")) is NotWritten


def test_a_connection_that_takes_too_long_is_not_written() -> None:
    """Given a server that accepts and never sends a word of TLS, when the time is up, then nothing has been written."""

    async def post() -> int | type[Exception]:
        async with serving(never_answers) as url:
            return await once(url.replace("http", "https"), timeout_s=2.0)

    assert run(post()) is NotWritten


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate.make(tmp_path)


@pytest.fixture
def tls(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain)
    return context


def test_a_certificate_of_an_unknown_authority_is_not_written(tls: ssl.SSLContext) -> None:
    assert result(answers(ACCEPTED), tls=tls) is NotWritten


def test_a_certificate_of_an_authority_that_the_environment_names_is_trusted(
    tls: ssl.SSLContext, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    assert result(answers(ACCEPTED), tls=tls) == 202


def test_a_redirect_is_a_response_and_is_not_followed() -> None:
    async def post() -> tuple[int | type[Exception], int]:
        visits = 0

        async def elsewhere(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            nonlocal visits
            visits += 1

        async with serving(elsewhere) as location:
            redirect = f"HTTP/1.1 307 Temporary\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
            async with serving(answers(redirect)) as url:
                return await once(url), visits

    assert run(post()) == (307, 0)


def test_connections_that_the_server_closed_while_idle_cost_no_response() -> None:
    """Given pooled connections that the server has closed, when requests follow, then each gets a response, and the
    server reads each once.
    The client drops a closed connection, or writes nothing into it and takes another. Only a request that is written at
    the moment of the close is lost, so here the server closes between the bursts and never within one.
    """
    read: list[bytes] = []
    idle: set[asyncio.StreamWriter] = set()

    async def answers_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        idle.add(writer)
        while True:
            read.append(await reader.readexactly(await head(reader)))
            writer.write(ACCEPTED)

    async def bursts() -> list[int | type[Exception]]:
        found: list[int | type[Exception]] = []
        async with serving(answers_all) as url:
            client = client_to(url, {}, TIMEOUT_S)
            for _ in range(5):
                found += await asyncio.gather(*(outcome(client) for _ in range(20)))
                for writer in idle:
                    writer.close()
                idle.clear()
                # The close is on its way on the loopback; no event tells when the client has seen it.
                await asyncio.sleep(0.3)
            await client.close()
        return found

    assert run(bursts()) == [202] * 100
    assert len(read) == 100


def test_an_idle_connection_is_closed_before_a_server_would_close_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a short idle time, when a connection was idle for longer, then the next request makes a new one.
    Only then: on a busy machine a connection may be idle for longer between two requests that follow each other.
    """
    idle_s = 0.5
    monkeypatch.setattr(transport, "POOL_IDLE_S", idle_s)
    monkeypatch.setattr(proxied_transport, "POOL_IDLE_S", idle_s)
    connections = 0

    async def answers_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await request(reader)
            writer.write(ACCEPTED)

    async def pause() -> tuple[int, int, int]:
        idle = 0
        async with serving(answers_all) as url:
            client = client_to(url, {}, TIMEOUT_S)
            await outcome(client)
            for _ in range(2):
                before = time.monotonic()
                await outcome(client)
                idle += time.monotonic() - before > idle_s / 2
            busy = connections
            await asyncio.sleep(2 * idle_s)
            await outcome(client)
            await client.close()
            return busy, idle, connections

    busy, idle, after = run(pause())
    assert busy <= 1 + idle
    assert after == busy + 1
