"""Checks of Redis: its version and settings, its speed and memory, its clock, and the workers that report to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from api.doctor.finding import DoctorFinding, failed, ok, unknown, warning
from campaigns import keys
from campaigns.db import refusals, server
from campaigns.db.server import Writing, WrongRedis
from campaigns.heartbeats import GONE_MS

#: How often the response time is measured, and the median above which sending slows down, in ms.
PINGS: Final = 9
SLOW_MS: Final = 10.0
#: The part of `maxmemory` above which there is a warning.
MUCH_MEMORY: Final = 0.8
#: The greatest difference between two clocks, in seconds. Presigned URLs and signatures allow some minutes.
CLOCK_S: Final = 5.0

_SETTINGS: Final = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "min-replicas-to-write")
_NAME: Final = "Redis"


def check(client: Redis, writing: Writing, *, allow_unsafe: bool) -> Iterator[DoctorFinding]:
    """All findings about Redis. The first one is about its connection; without one there are no others."""
    redis: Any = client
    try:
        waits = sorted(_ping_ms(redis) for _ in range(PINGS))
    except WrongRedis as error:
        yield failed(_NAME, f"{error}.", "Change Redis as it says, then start the web process and the workers again.")
        return
    except RedisError as error:
        found = refusals.words(error) or f"Redis cannot be reached ({type(error).__name__})."
        yield failed(_NAME, found, "Start Redis, and check REDIS_URL or REDIS_ADDR of the web process.")
        return
    yield ok(_NAME, "reachable")
    yield _speed(waits[len(waits) // 2])
    info = {name: str(value) for name, value in redis.info().items()}
    yield from _kind(info)
    yield from _durability(info, _settings(redis), allow_unsafe=allow_unsafe)
    yield _memory(info)
    yield _writes(writing)
    now_s, micro = redis.time()
    yield clock("Clock: Redis", now_s + micro / 1e6 - time.time())
    yield _workers(redis, now_s * 1000)


def clock(name: str, off_s: float) -> DoctorFinding:
    """The finding about another machine's clock. `off_s`: its time minus ours, in seconds."""
    if abs(off_s) > CLOCK_S:
        mend = "Set the clocks of both machines by NTP: signatures, presigned URLs and schedules depend on them."
        return failed(name, f"it differs from this server's by {off_s:+.1f} s", mend)
    return ok(name, f"it differs from this server's by {abs(off_s):.1f} s")


def _ping_ms(redis: Any) -> float:
    started = time.perf_counter()
    redis.ping()
    return (time.perf_counter() - started) * 1000


def _settings(redis: Any) -> dict[str, str]:
    """The settings that Redis tells; managed services forbid CONFIG, and some answer without it."""
    try:
        found = redis.config_get(*_SETTINGS)
    except RedisError:
        return {}
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _speed(median_ms: float) -> DoctorFinding:
    found = f"answers within {median_ms:.1f} ms (median of {PINGS})"
    if median_ms > SLOW_MS:
        return warning(f"{_NAME}: speed", found, "Run Redis near the web process and the workers: each send asks it.")
    return ok(f"{_NAME}: speed", found)


def _kind(info: Mapping[str, str]) -> Iterator[DoctorFinding]:
    product = next((name for name in server.OLDEST if name in info), None)
    shown = f"{product.partition('_')[0].capitalize()} {info[product]}" if product else "not told"
    try:
        server.check(info, allow_unsafe=True)
    except WrongRedis as error:
        yield failed(f"{_NAME}: kind", f"{shown}: {error}.", "Change Redis as it says.")
        return
    yield ok(f"{_NAME}: kind", f"{shown}, no cluster, no keys are dropped")


def _durability(info: Mapping[str, str], config: Mapping[str, str], *, allow_unsafe: bool) -> Iterator[DoctorFinding]:
    name = f"{_NAME}: append-only file"
    kept = config.get("appendonly") or {"1": "yes", "0": "no"}.get(info.get("aof_enabled", ""))
    if kept is None:
        yield unknown(name, "Redis does not tell", "Check with its provider that an append-only file is on.")
        return
    if kept == "no":
        verdict = warning if allow_unsafe else failed
        yield verdict(name, "off: a crash of Redis forgets who has been sent to", "Set 'appendonly yes'.")
        return
    if info.get("aof_last_write_status", "ok") != "ok":
        yield failed(name, "Redis could not write it the last time", "Free disk space where Redis runs; see its log.")
        return
    yield ok(name, "on")
    yield _fsync(config.get("appendfsync"))


def _fsync(policy: str | None) -> DoctorFinding:
    name = f"{_NAME}: fsync"
    if policy is None:
        return unknown(name, "Redis does not tell", "Check that 'appendfsync' is 'always', or accept the risk below.")
    if policy != "always":
        found = f"'appendfsync {policy}': a power failure may forget up to a second of sends, which are then repeated"
        return warning(name, found, "Set 'appendfsync always'; docs/operations.md says what that costs.")
    return ok(name, "'appendfsync always': what was recorded is on disk")


def _memory(info: Mapping[str, str]) -> DoctorFinding:
    name = f"{_NAME}: memory"
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not limit:
        total = int(info.get("total_system_memory", 0))
        limit = total or used
        shown = f"{_mib(used)} used, no limit" + (f"; the machine has {_mib(total)}" if total else "")
    else:
        shown = f"{_mib(used)} of {_mib(limit)} used"
    if used > MUCH_MEMORY * limit:
        return warning(name, shown, "Give Redis more memory, or delete old campaigns: a full Redis stops all sending.")
    return ok(name, shown)


def _mib(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB"


def _writes(writing: Writing) -> DoctorFinding:
    refusal = writing.refusal()
    if refusal is None:
        return ok(f"{_NAME}: writes", "accepted")
    return failed(f"{_NAME}: writes", f"refused: {refusal}", "Mend what Redis says; nothing is sent until then.")


def _workers(redis: Any, now_ms: int) -> DoctorFinding:
    """The workers whose last heartbeat is recent, and how many messages they work on at once."""
    alive = redis.zrangebyscore(keys.WORKERS, now_ms - GONE_MS, "+inf")
    if not alive:
        return failed("Workers", "none is alive, so nothing is parsed or sent", "Start workers: dramatiq actors.")
    slots = sum(int(count) for count in redis.hmget(keys.SLOTS, alive) if count)
    return ok("Workers", f"{len(alive)} alive, with {slots} messages at once")
