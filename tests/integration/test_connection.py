"""The kernel watches the connections to Redis."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

from api import components
from campaigns import connection


@pytest.mark.skipif(sys.platform != "linux", reason="the options are named so on Linux")
def test_the_kernel_has_them(valkey_url: str) -> None:
    pool = components.connect(valkey_url).connection_pool
    line: Any = pool.get_connection()
    try:
        found = line._sock
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == connection.SILENCE_S
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == connection.PROBES
    finally:
        pool.release(line)
        pool.disconnect()
