"""Liveness, readiness, metrics, and how an outage or an error of the server looks to a client."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import ConnectionError as RedisConnectionError, Redis

from api import health
from api.http import errors
from tests.support.app_harness import AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def break_redis(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RedisConnectionError("Error 111 connecting to redis.internal:6379")

    monkeypatch.setattr(app.redis.connection_pool, "get_connection", fail)


def test_the_server_is_alive_whatever_else_is_away(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    break_redis(app, monkeypatch)
    app.store.away = True
    assert app.web.get("/healthz").json() == {"status": "ok"}


def test_the_server_is_ready_once_redis_and_the_store_can_be_reached(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app.web.get("/readyz").status == 200
    app.store.away = True
    without_store = app.web.get("/readyz")
    assert (without_store.status, "object store" in without_store.detail, "Redis" in without_store.detail) == (
        503,
        True,
        False,
    )
    with monkeypatch.context() as patch:
        break_redis(app, patch)
        without_both = app.web.get("/readyz")
        assert "Redis" in without_both.detail
        assert "redis.internal" not in without_both.detail
    app.store.away = False
    assert app.web.get("/readyz").status == 200


def test_the_workers_alive_are_counted_and_none_is_no_reason_to_be_unready(app: AppHarness) -> None:
    """Given a worker that is alive and one that is gone, then readiness and metrics count one; without any, none."""
    assert app.web.get("/readyz").json()["workers"] == 0
    seconds, _micros = app.redis.time()
    app.redis.zadd("postrider:workers", {"alive": seconds * 1000, "gone": (seconds - 60) * 1000})
    ready = app.web.get("/readyz")
    assert (ready.status, ready.json()["workers"]) == (200, 1)
    assert "\npostrider_workers 1.0\n" in app.web.get("/metrics").body.decode()


def test_a_store_that_hangs_is_named_and_redis_is_not(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(health, "READY_S", 0.3)
    monkeypatch.setattr(app.store, "ping", lambda: release.wait(5))
    try:
        answer = app.web.get("/readyz")
    finally:
        release.set()
    assert answer.detail.startswith("The object store did not answer within 0.3 s")
    assert "Redis" not in answer.detail


def test_a_store_that_hangs_makes_the_server_unready(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(health, "READY_S", 0.05)
    monkeypatch.setattr(app.store, "ping", lambda: release.wait(5))
    try:
        answer = asyncio.run(_readyz(app, release))
    finally:
        release.set()
    assert answer == 503


async def _readyz(app: AppHarness, release: threading.Event) -> int:
    async with aclosing(app.web.messages("GET", "/readyz", [b""])) as messages:
        start = await anext(messages)
        release.set()
        return int(start["status"])


def test_redis_away_is_503_without_the_error_text_of_redis(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    app.ready()
    break_redis(app, monkeypatch)
    for method, path in (
        ("GET", "/campaigns/c1/status"),
        ("POST", "/campaigns/c1/pause"),
        ("GET", "/campaigns/c1/events"),
    ):
        answer = app.web.request(method, path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert "redis.internal" not in answer.detail


def test_a_server_error_is_500_without_internals(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_campaign_id: str) -> None:
        raise RuntimeError("secret ada@shop.test")

    monkeypatch.setattr(app.starlette.state.components.progress, "report", fail)
    seen = []

    async def collect() -> None:
        async for message in app.web.messages("GET", "/campaigns/c1/status", [b""]):
            seen.append(message)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(RuntimeError):  # for the server's log
        asyncio.run(collect())
    assert seen[0]["status"] == 500
    assert dict(seen[0]["headers"])[b"x-content-type-options"] == b"nosniff"
    assert dict(seen[0]["headers"])[b"content-type"] == errors.MEDIA_TYPE.encode()
    assert b"secret" not in seen[1]["body"]


def test_the_metrics_are_in_the_prometheus_text_format(app: AppHarness) -> None:
    app.ready()
    app.make("c2")
    app.redis.setbit("postrider:{c1}:done", 1, 1)
    answer = app.web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    pending = {sample.labels["campaign"]: sample.value for sample in families["postrider_pending"].samples}
    assert pending == {"c1": 2.0, "c2": 0.0}
    states = {
        sample.labels["campaign"]: sample.labels["status"]
        for sample in families["postrider_status"].samples
        if sample.value
    }
    assert states == {"c1": "ready", "c2": "draft"}
    assert families["postrider_up"].samples[0].value == 1
    expected = ("done", "failed", "pending", "unknown", "in_flight", "rejected", "retries")
    assert {f"postrider_{name}" for name in expected} <= set(families)
    assert families["postrider_retries"].type == "counter"


def test_the_metrics_show_that_redis_is_away(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    break_redis(app, monkeypatch)
    answer = app.web.get("/metrics")
    assert answer.status == 200
    assert b"postrider_up 0.0" in answer.body


def test_the_metrics_cover_the_newest_campaigns(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MAX_CAMPAIGNS", 2)
    for number in range(3):
        app.make(f"c{number}")
    assert app.web.get("/metrics").body.count(b"postrider_pending{") == 2
