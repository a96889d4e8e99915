"""One POST to an address that must be public, within a deadline. It follows no redirect and uses no proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

#: The longest time for one POST, in s.
DEADLINE_S: Final = 15.0
#: The longest wait for each step of it, in s.
STEP_S: Final = 10.0


class PostFailed(Exception):
    """No response came; a later attempt may get one."""


def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host.

    Raises:
        PostFailed: it has none, or one of them is private and that is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PostFailed(f"{host} has no address: {error}") from None
    usable = [str(place[0]) for *_kind, place in found]
    for address in usable:
        if not allow_private and not _is_public(address):
            raise PostFailed(f"{host} has the private address {address}: set EVENTS_ALLOW_PRIVATE=true to allow it")
    return usable


def _is_public(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None) or found
    return found.is_global and not found.is_multicast


class _ToAddress(http.client.HTTPConnection):
    """Connects to an address that was checked, and not to what the name leads to by then (DNS rebinding)."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=STEP_S)
        self._address = address
        self._context = context

    def connect(self) -> None:
        """Connect, with TLS if there is a context."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> int:
    """Send a body. Returns the status of the response, whose body is not read.

    Raises:
        PostFailed: there was no response, or the address is refused.
    """
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    address, *_others = addresses(host, port, allow_private=allow_private)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    connection = _ToAddress(host, port, address, context)
    cut = threading.Event()
    deadline = threading.Timer(DEADLINE_S, _cut, [connection, cut])
    deadline.daemon = True
    deadline.start()
    try:
        connection.request("POST", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", body, dict(headers))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise PostFailed(f"{host} did not answer: {type(error).__name__}: {error}") from None
    finally:
        deadline.cancel()
        connection.close()
    if cut.is_set():  # what came before is not the whole head of a response
        raise PostFailed(f"{host} did not answer within {DEADLINE_S:g} s")
    return status


def _cut(connection: http.client.HTTPConnection, cut: threading.Event) -> None:
    """End a connection whose other side takes too long; the reading thread comes to an end."""
    cut.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
