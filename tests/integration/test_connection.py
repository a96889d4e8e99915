"""The kernel checks the connections to Redis with keepalive."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

from api import components
from campaigns.db import connection


@pytest.mark.skipif(sys.platform != "linux", reason="the options are named so on Linux")
def test_the_kernel_has_the_keepalive_options(valkey_url: str) -> None:
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
