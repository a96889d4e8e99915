"""`uvicorn api:app`, the contract's bare command, under clients that are slow on purpose, with either HTTP parser."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from api.http import connections
from embedded import ports
from tests.support import services
from tests.support.client import Client, send
from tests.support.doubles.sendgrid_events import Signer
from tests.support.web_process import WebProcess, rss_bytes

#: How long a close may take beyond the limit on a busy machine.
PATIENCE_S = 60.0
MIB = 1024 * 1024
SIGNER = Signer()


#: The command's own start, with times that a test can wait for.
QUICKER: Final = (
    "from api.http import connections, slow_bodies\n"
    "connections.HEAD_S = slow_bodies.GAP_S = 3\n"
    "connections.LINGER_S = 4\n"
    "from uvicorn.main import main\n"
    "main()\n"
)


@contextmanager
def web(directory: Path, *command: str) -> Iterator[WebProcess]:
    """A web process without Redis and S3: it answers /healthz, and refuses whatever it can refuse before it
    calls them.
    """
    port, log = ports.free_port(), directory / "web.log"
    away = {
        "REDIS_URL": f"redis://127.0.0.1:{ports.free_port()}/0",
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{ports.free_port()}",
        "SENDGRID_WEBHOOK_PUBLIC_KEY": SIGNER.public_key,
        "LOG_LEVEL": "warning",
    }
    line = [sys.executable, *command, "api:app", "--host", "127.0.0.1", "--port", str(port)]
    with services.running(line, port, log, away) as process:
        yield WebProcess(port, process, log)


@pytest.fixture(scope="module", params=["auto", "h11"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    with web(tmp_path_factory.mktemp("web"), "-c", QUICKER, "--http", request.param) as found:
        yield found


def connect(server: WebProcess, data: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    client.sendall(data)
    return client


def rest(client: socket.socket) -> bytes:
    """All bytes that still come, until the server closes."""
    found = b""
    try:
        while data := client.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


def test_half_a_request_head_is_given_up_and_others_are_answered_meanwhile(tmp_path: Path) -> None:
    with web(tmp_path, "-m", "uvicorn") as server, ExitStack() as open_clients:
        # Given 400 such clients
        started = time.monotonic()
        clients = [
            open_clients.enter_context(closing(connect(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-")))
            for _ in range(400)
        ]
        assert server.call("GET", "/healthz")[0] == 200
        # When the server has waited long enough, then it closes each of them
        for client in clients:
            assert rest(client)[:13] in {b"HTTP/1.1 408 ", b""}
        assert time.monotonic() - started >= connections.HEAD_S * 0.9
        assert server.call("GET", "/healthz")[0] == 200


def until_answered(client: socket.socket) -> None:
    """Read a response of /healthz, which may come in pieces."""
    found = b""
    while not found.endswith(b'"}'):
        piece = client.recv(65536)
        assert piece, found
        found += piece


def test_a_head_that_drips_and_one_that_never_begins_are_given_up(server: WebProcess) -> None:
    with (
        closing(connect(server, b"")) as silent,
        closing(connect(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ")) as dripping,
        closing(connect(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")) as second,
    ):
        # And one on a connection that has had a response before
        until_answered(second)
        second.sendall(b"GET /hea")
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.5):
                try:
                    dripping.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            for client in (silent, dripping, second):
                rest(client)
        finally:
            ended.set()
            thread.join()


def test_more_connections_than_allowed_do_not_shut_out_new_clients(server: WebProcess) -> None:
    with ExitStack() as open_clients:
        for _ in range(connections.MAX_CONNECTIONS + 100):
            open_clients.enter_context(closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)))
        assert server.call("GET", "/healthz")[0] == 200
        count = len(list(Path(f"/proc/{_pid(server)}/fd").iterdir()))
        assert count <= connections.MAX_CONNECTIONS + 60


def _pid(server: WebProcess) -> int:
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def test_a_body_that_stops_is_answered_408_and_the_connection_closed(server: WebProcess) -> None:
    head = b"PUT /campaigns/c1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with (
        closing(connect(server, head + b"Content-Length: 1000\r\n\r\n{")) as whole,
        closing(connect(server, head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")) as chunked,
    ):
        for client in (whole, chunked):
            answer = rest(client)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"connection: close" in answer.lower()
            assert b"too slowly" in answer


def test_the_server_does_not_wait_for_a_body_that_its_headers_refuse(server: WebProcess) -> None:
    head = b"PUT /campaigns/c1 HTTP/1.1\r\nHost: localhost\r\n"
    with closing(connect(server, head + b"Content-Length: 99999999\r\n\r\n")) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
    with closing(connect(server, head + b"Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n")) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 415 ")
        # And it does not wait without end for the rest either
        client.sendall(b"x")
        rest(client)


def test_unsigned_bodies_cost_no_memory(server: WebProcess) -> None:
    # Given a warm process
    body = b"[" + b" " * (8 * MIB - 2) + b"]"
    url = f"http://127.0.0.1:{server.port}/webhooks/sendgrid"
    forged = Signer().headers(body)
    assert send("POST", url, body, {})[0] == 403
    assert send("POST", url, body, forged)[0] == 403
    before = rss_bytes(server.process.pid)
    # When fifty bodies come at once, without a signature or with a forged one, and none of them ends
    half = len(body) // 2
    for headers in ({}, forged):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST /webhooks/sendgrid HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        with ExitStack() as open_clients:
            for _ in range(50):
                open_clients.enter_context(closing(connect(server, head.encode() + body[:half])))
            assert Client(server.port).ask("GET", "/healthz")[0] == 200
            # Then the process does not hold them
            assert rss_bytes(server.process.pid) - before < 60 * MIB


def test_a_client_behind_a_proxy_cannot_pose_as_local(server: WebProcess) -> None:
    # uvicorn itself accepts a proxy's header from loopback: neither that nor its opposite lets a client in.
    for value in ("192.0.2.7", "127.0.0.1", ""):
        status, problem = server.call("GET", "/openapi.json", headers={"X-Forwarded-For": value})
        assert status == 403
        assert "API_TOKEN" in problem["detail"]
    assert server.call("GET", "/openapi.json")[0] == 200
    assert server.call("GET", "/openapi.json", headers={"Host": "evil.test:8122"})[0] == 403
