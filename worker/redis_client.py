"""The Redis client of a worker process. All threads of the process share it."""

from __future__ import annotations

from functools import partial

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry

from campaigns.db import connection, schema


def connect(url: str, *, allow_unsafe: bool = False) -> Redis:
    """Build a Redis client for threads: with timeouts, two quick retries, and a check of each connection's server.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        allow_unsafe: accept a Redis without an append-only file.
    """
    return Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=10,
        **connection.watched(url),
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 2),
        redis_connect_func=partial(_on_connect, allow_unsafe=allow_unsafe),
    )


def _on_connect(new: AbstractConnection, *, allow_unsafe: bool) -> None:
    connection.count_new()
    schema.on_connect(new, allow_unsafe=allow_unsafe)
