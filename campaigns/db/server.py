"""Checks whether Postrider supports this Redis, and whether Redis accepts writes now. Neither check writes data."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Final

import structlog
from redis import Redis, RedisError

from campaigns import keys
from campaigns.db import refusals
from campaigns.db.typed_redis import typed

log = structlog.get_logger(__name__)

#: The oldest supported versions (major, minor), by the field of INFO that names the version.
OLDEST: Final = {"valkey_version": (7, 2), "redis_version": (7, 0)}
#: The fields of INFO that the checks read.
_FIELDS: Final = ("redis_version", "cluster_enabled", "maxmemory_policy", "aof_enabled")


class WrongRedis(RedisError):
    """Postrider must not work on this Redis; the message says what to change."""


def check(info: Mapping[str, str], *, allow_unsafe: bool) -> None:
    """Compare the fields of INFO with Postrider's needs. A missing field passes, because some managed services omit it.

    Args:
        info: the fields of INFO.
        allow_unsafe: accept a Redis without an append-only file.

    Raises:
        WrongRedis
    """
    if info.get("cluster_enabled") == "1":
        raise WrongRedis(
            "Redis runs in cluster mode (cluster_enabled:1), and Postrider's scripts need all keys in one place: "
            "use one with 'cluster-enabled no'"
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise WrongRedis(
            f"Redis drops keys when its memory is full (maxmemory-policy {policy}), and every key is part of a "
            "campaign: set 'maxmemory-policy noeviction'"
        )
    if info.get("aof_enabled") == "0" and not allow_unsafe:
        raise WrongRedis(
            "Redis keeps no append-only file (aof_enabled:0) and forgets in a crash who has been sent to: set "
            "'appendonly yes' and 'appendfsync always', or ALLOW_UNSAFE_REDIS=true where emails may be sent twice"
        )
    _check_version(info)


def _check_version(info: Mapping[str, str]) -> None:
    name = next((name for name in OLDEST if name in info), None)
    found = re.match(r"(\d+)\.(\d+)", info[name]) if name else None
    if name and found and (int(found[1]), int(found[2])) < OLDEST[name]:
        product, (major, minor) = name.partition("_")[0].capitalize(), OLDEST[name]
        raise WrongRedis(f"{product} is of version {info[name]}: use {product} {major}.{minor} or later")


def parsed(info: str) -> dict[str, str]:
    """The response of INFO, by field."""
    pairs = (line.partition(":") for line in info.splitlines() if not line.startswith("#"))
    found = {name: value for name, separator, value in pairs if separator}
    _warn_once(tuple(name for name in _FIELDS if name not in found))
    return found


@cache
def _warn_once(missing: tuple[str, ...]) -> None:
    if missing:
        log.warning("redis_not_checked", missing=missing, advice="docs/operations.md, Redis, says what it has to be")


class Writing:
    """Whether Redis accepts writes now."""

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._found: str | None = None
        self._found_at = -1e9

    def refusal(self, max_age_s: float = 0.0) -> str | None:
        """The error of Redis if it refuses writes (MISCONF, READONLY, OOM, NOREPLICAS, ...); None if it accepts them.

        Args:
            max_age_s: the greatest age of a cached result "accepts writes", in s. A refusal is never cached.

        Raises:
            redis.RedisError: Redis has not responded.
        """
        now = time.monotonic()
        if self._found is not None or now - self._found_at > max_age_s:  # a refusal may be over
            self._found, self._found_at = self._ask(), now
        return self._found

    def forget(self) -> None:
        """Drop the cached result, because Redis has just refused a command. The next call checks again."""
        self._found_at = -1e9

    def _ask(self) -> str | None:
        try:
            # LPUSHX is flagged as a write that needs memory, so Redis refuses it whenever it refuses such writes. It
            # only adds to an existing list, and this key never exists: it writes nothing and syncs nothing to disk.
            self._redis.lpushx(keys.PROBE, "")
        except WrongRedis:
            raise
        except RedisError as error:
            words = refusals.words(error)
            if words is None:
                raise
            return words
        return None
