"""A Redis that still loads its data, and says so to every command."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import ClassVar, Final

from embedded.ports import LOOPBACK

LOADING: Final = b"-LOADING Redis is loading the dataset in memory\r\n"
_COMMAND: Final = re.compile(rb"\*[0-9]+\r\n\$")


class _Connection(socketserver.BaseRequestHandler):
    open: ClassVar[set[socket.socket]] = set()

    def handle(self) -> None:
        self.open.add(self.request)
        with contextlib.suppress(OSError):
            while data := self.request.recv(65_536):
                self.request.sendall(LOADING * len(_COMMAND.findall(data)))
        self.open.discard(self.request)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def loading_redis(port: int = 0) -> Iterator[int]:
    """Run one until the block ends; gives its port."""
    with _Server((LOOPBACK, port), _Connection) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            for connection in list(_Connection.open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
