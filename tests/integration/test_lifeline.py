"""Word of what operators change reaches every web process at once; a lost connection comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis import Redis
from redis.asyncio import ConnectionPool

from api.lifeline import Lifeline
from campaigns.controls import Controls
from tests.world import World


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it rings no bell
            await asyncio.sleep(0.01)


def test_every_step_is_told_and_a_lost_connection_comes_back(redis_client: Redis, valkey_url: str) -> None:
    World(redis_client).make("c1")
    controls = Controls(redis_client)

    async def listen() -> None:
        told: list[str | None] = []
        line = Lifeline(valkey_url)
        running = asyncio.create_task(line.run(told.append))
        await _until(lambda: line.holds)
        await asyncio.to_thread(controls.set_rate, "c1", 600)
        await _until(lambda: told == [None, "c1"])
        await asyncio.to_thread(controls.cancel, "c1")
        await _until(lambda: told == [None, "c1", "c1"])
        redis_client.client_kill_filter(_type="pubsub")
        await _until(lambda: not line.holds)
        await _until(lambda: line.holds)
        assert told[-1] is None, "what was said meanwhile may be anything"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert not line.holds

    asyncio.run(listen())


def test_silence_is_no_loss(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a client that by itself gives up after a tenth of a second without an answer."""
    make = ConnectionPool.from_url
    monkeypatch.setattr(ConnectionPool, "from_url", lambda url, **more: make(url, **{"socket_timeout": 0.1} | more))

    async def listen() -> None:
        told: list[str | None] = []
        line = Lifeline(valkey_url)
        running = asyncio.create_task(line.run(told.append))
        await _until(lambda: line.holds)
        await asyncio.sleep(0.5)  # the silence
        assert line.holds
        assert told == [None]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(listen())
