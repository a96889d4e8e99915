"""A double of Postbox, the provider of `tests/support/postbox.py`: checks each request, records it, answers as told."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from embedded.ports import LOOPBACK

TOKEN: Final = "token-of-the-double"
#: A status, and the headers of the response; 0: the connection ends without a response, after the email was accepted.
Answer = tuple[int, dict[str, str]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2_000  # a worker opens hundreds of connections at once


class PostboxDouble:
    """`emails`: the accepted requests. `asked`: how often each row came. `answer`: by row and how often it has come."""

    def __init__(self) -> None:
        self.emails: list[dict[str, Any]] = []
        self.asked: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.answer: Callable[[int, int], Answer] = lambda _row, _times: (200, {})
        self._lock = threading.Lock()
        self.url = ""

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[PostboxDouble]:
        """Start one, in threads of this process."""
        double = cls()
        server = _Server((LOOPBACK, 0), double._handler())
        double.url = f"http://{LOOPBACK}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            server.server_close()

    def take(self, token: str | None, body: bytes) -> Answer:
        """The answer to one request."""
        if token != TOKEN:
            return 401, {}
        email = json.loads(body)
        row = int(email["Metadata"]["row"])
        with self._lock:
            self.asked[row] += 1
            if not email["HtmlBody"] and not email["TextBody"]:
                self.wrong.append("no body")
            answer = self.answer(row, self.asked[row])
            if answer[0] in {0, 200}:
                self.emails.append(email)
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = double.take(self.headers["X-Server-Token"], body)
                if not status:
                    self.close_connection = True
                    return
                words = b'{"ErrorCode": 0}' if status == 200 else b'{"ErrorCode": 1}'
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(words))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
