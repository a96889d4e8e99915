"""The live status: sent when it changes, shared by its listeners, closed when the campaign or the server ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from redis import ConnectionError as RedisConnectionError, Redis

from api.live import event_stream, feeds
from tests.support.app_harness import AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    made = AppHarness(fake_redis)
    made.ready()
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "POLL_S", 0.01)
    monkeypatch.setattr("campaigns.db.retrying.CHECK_PAUSE_S", 0.01)


async def events(app: AppHarness) -> AsyncGenerator[str, None]:
    """The stream's events as text."""
    text = ""
    async with aclosing(app.web.messages("GET", "/campaigns/c1/events", [b""])) as messages:
        async for message in messages:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                headers = dict(message["headers"])
                assert headers[b"content-type"].startswith(b"text/event-stream")
                assert headers[b"cache-control"] == b"no-store"
                continue
            text += message.get("body", b"").decode()
            while "\n\n" in text:
                event, text = text.split("\n\n", 1)
                yield event


def status_of(event: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in event.splitlines())
    assert int(fields["id"]) > 0
    found: dict[str, Any] = json.loads(fields["data"])
    return found


def run(coroutine: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await coroutine

    asyncio.run(limited())


def test_the_status_is_sent_at_once_and_on_every_change(app: AppHarness) -> None:
    async def watch() -> None:
        stream = events(app)
        assert await anext(stream) == "retry: 2000"
        first = status_of(await anext(stream))
        assert first == msgspec.to_builtins(app.harness.progress.report("c1"))
        app.harness.controls.start("c1")
        assert status_of(await anext(stream))["status"] == "running"
        app.harness.controls.pause("c1")
        assert status_of(await anext(stream))["status"] == "paused"
        await stream.aclose()

    run(watch())


def test_a_comment_is_sent_while_the_status_does_not_change(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.05)

    async def watch() -> None:
        stream = events(app)
        got = [await anext(stream) for _ in range(4)]
        assert [event.split(":")[0] for event in got] == ["retry", "id", "", ""]
        await stream.aclose()

    run(watch())


def test_listeners_share_one_poller_that_polls_once_for_each_new_one_and_stops_with_the_last(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    report = app.starlette.state.components.progress.report

    def counted(campaign_id: str) -> Any:
        nonlocal asked
        asked += 1
        return report(campaign_id)

    monkeypatch.setattr(app.starlette.state.components.progress, "report", counted)
    monkeypatch.setattr(feeds, "POLL_S", 60)

    async def watch() -> None:
        streams = [events(app) for _ in range(5)]
        for stream in streams:
            await anext(stream)
            status_of(await anext(stream))
        assert asked == 5 + 5  # each request checks that the campaign exists, and one poll answers it when it joins
        app.harness.controls.start("c1")
        app.starlette.state.components.feeds.changed("c1")
        for stream in streams:
            assert status_of(await anext(stream))["status"] == "running"
        assert asked == 5 + 5 + 1  # all other polls are shared
        (feed,) = app.starlette.state.components.feeds._feeds.values()
        assert feed.listeners == 5
        for stream in streams:
            await stream.aclose()
        assert app.starlette.state.components.feeds._feeds == {}
        await asyncio.wait({feed.poller}, timeout=60)
        assert feed.poller.cancelled()

    run(watch())


def test_a_deleted_campaign_ends_the_stream(app: AppHarness) -> None:
    async def watch() -> None:
        stream = events(app)
        await anext(stream)
        await anext(stream)
        (feed,) = app.starlette.state.components.feeds._feeds.values()
        app.harness.catalog.delete("c1")
        assert [event async for event in stream] == []
        await asyncio.wait({feed.poller}, timeout=60)
        assert feed.poller.cancelled() or feed.poller.exception() is None

    run(watch())


def test_a_stopping_server_ends_the_stream(app: AppHarness) -> None:
    async def watch() -> None:
        stream = events(app)
        await anext(stream)
        await anext(stream)
        app.starlette.state.components.feeds.close()
        assert [event async for event in stream] == []
        assert [event async for event in events(app)] == ["retry: 2000"]

    run(watch())


def test_the_stream_survives_an_outage_of_redis(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch() -> None:
        stream = events(app)
        await anext(stream)
        await anext(stream)
        failed, loop = asyncio.Event(), asyncio.get_running_loop()

        def fail(*_args: object, **_kwargs: object) -> None:
            loop.call_soon_threadsafe(failed.set)
            raise RedisConnectionError("away")

        with monkeypatch.context() as patch:
            patch.setattr(app.starlette.state.components.progress, "report", fail)
            await failed.wait()
        app.harness.controls.start("c1")
        assert status_of(await anext(stream))["status"] == "running"
        await stream.aclose()

    run(watch())


def test_head_returns_at_once(app: AppHarness) -> None:
    answer = app.web.request("HEAD", "/campaigns/c1/events")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
