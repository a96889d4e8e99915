"""What kind of Redis Postrider works on, and whether it takes writes at the moment. Both are found without a write."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Final

import structlog
from redis import Redis, RedisError

from campaigns import keys, refusals
from campaigns.typed_redis import typed

log = structlog.get_logger(__name__)

#: The oldest versions (major, minor) that are tested against, by the field of INFO that names them.
OLDEST: Final = {"valkey_version": (7, 2), "redis_version": (7, 0)}
#: What INFO says of each of these is asked for.
_FIELDS: Final = ("redis_version", "cluster_enabled", "maxmemory_policy", "aof_enabled")


class WrongRedis(RedisError):
    """A Redis that Postrider must not work on; says what to change."""


def check(info: Mapping[str, str], *, allow_unsafe: bool) -> None:
    """Compare what INFO says with what Postrider needs. A field that is missing, as in some managed services, passes.

    Args:
        info: INFO's fields.
        allow_unsafe: let a Redis without an append-only file pass.

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
    """INFO's answer by field."""
    pairs = (line.partition(":") for line in info.splitlines() if not line.startswith("#"))
    found = {name: value for name, separator, value in pairs if separator}
    _warn_once(tuple(name for name in _FIELDS if name not in found))
    return found


@cache
def _warn_once(missing: tuple[str, ...]) -> None:
    if missing:
        log.warning("redis_not_checked", missing=missing, advice="docs/operations.md, Redis, says what it has to be")


class Writing:
    """Whether Redis takes writes at this moment."""

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._found: str | None = None
        self._found_at = -1e9

    def refusal(self, max_age_s: float = 0.0) -> str | None:
        """Redis' own words where it refuses to write (MISCONF, READONLY, OOM, NOREPLICAS, ...), None where it does not.

        Args:
            max_age_s: how old the answer may be that it takes writes, in s.

        Raises:
            redis.RedisError: it has not answered.
        """
        now = time.monotonic()
        if self._found is not None or now - self._found_at > max_age_s:  # a refusal that is over is no news of now
            self._found, self._found_at = self._ask(), now
        return self._found

    def forget(self) -> None:
        """Redis has just refused something: who asks next gets an answer of then."""
        self._found_at = -1e9

    def _ask(self) -> str | None:
        try:
            # By its flags a write that needs memory, so that Redis refuses it whenever it would refuse one. But it adds
            # to a list that is there only, and this one never is: nothing is written, nor synced to disk.
            self._redis.lpushx(keys.PROBE, "")
        except WrongRedis:
            raise
        except RedisError as error:
            words = refusals.words(error)
            if words is None:
                raise
            return words
        return None
