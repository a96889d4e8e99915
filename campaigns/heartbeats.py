"""How many workers are alive, by their heartbeats. Every worker's dispatcher sends one in each round."""

from __future__ import annotations

from typing import Final

from redis import Redis

from campaigns import keys

#: The age of a worker's last heartbeat from which it counts as gone, in ms. A heartbeat comes every second or sooner.
GONE_MS: Final = 10_000


def alive_workers(redis: Redis) -> int:
    """The number of workers with a recent heartbeat, by the clock of Redis.

    Raises:
        redis.RedisError
    """
    seconds, micros = redis.time()
    oldest = seconds * 1000 + micros // 1000 - GONE_MS
    return int(redis.zcount(keys.WORKERS, oldest, "+inf"))
