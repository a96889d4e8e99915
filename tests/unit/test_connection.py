"""Every Redis client notices a dead peer: TCP keepalive for all, and for a worker also a PING after some silence."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError

from api import components
from campaigns.db import connection
from worker import redis_client

TCP = "redis://127.0.0.1:1/0"


def _options(client: Any) -> dict[str, Any]:
    options: dict[str, Any] = client.connection_pool.connection_kwargs
    return options


@pytest.mark.parametrize("connect", [redis_client.connect, components.connect])
def test_web_and_workers_turn_keepalive_on(connect: Any) -> None:
    options = _options(connect(TCP))
    assert options["socket_keepalive"] is True
    # a Redis that cannot write to its disk refuses PING, and the web process continues to read then
    assert options.get("health_check_interval") == (connection.SILENCE_S if connect is redis_client.connect else None)
    if sys.platform == "linux":
        wanted = options["socket_keepalive_options"]
        lost_after_s = wanted[socket.TCP_KEEPIDLE] + wanted[socket.TCP_KEEPINTVL] * wanted[socket.TCP_KEEPCNT]
        assert lost_after_s <= 30
        assert wanted[socket.TCP_USER_TIMEOUT] == lost_after_s * 1000


@pytest.mark.parametrize("connect", [redis_client.connect, components.connect])
def test_a_unix_socket_has_no_keepalive_and_can_be_used(connect: Any) -> None:
    with pytest.raises(RedisConnectionError, match="No such file"):
        connect("unix:///no/such/socket").ping()
