"""Word of what operators change reaches every web process at once; a lost connection comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis import Redis

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
        told: list[str] = []
        line = Lifeline(valkey_url)
        running = asyncio.create_task(line.run(told.append))
        await _until(lambda: line.holds)
        await asyncio.to_thread(controls.set_rate, "c1", 600)
        await _until(lambda: told == ["c1"])
        await asyncio.to_thread(controls.cancel, "c1")
        await _until(lambda: told == ["c1", "c1"])
        redis_client.client_kill_filter(_type="pubsub")
        await _until(lambda: not line.holds)
        await _until(lambda: line.holds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert not line.holds

    asyncio.run(listen())
