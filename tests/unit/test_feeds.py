"""Listeners share looks, hear first what is true when they join, and nothing from before a change of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api.live import feeds
from api.live.changes import Changes
from api.live.feeds import Feeds


class Progress:
    """Each look finds how many there were. While `quick` is not set an answer takes its time, and is of before."""

    def __init__(self) -> None:
        self.asked = 0
        self.quick = threading.Event()
        self.quick.set()

    def report(self, _campaign_id: str) -> Any:
        self.asked += 1
        found = self.asked
        self.quick.wait(10)
        return found


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Progress:
    monkeypatch.setattr(feeds, "POLL_S", 60.0)  # time plays no part
    return Progress()


def run(progress: Progress, body: Callable[[Feeds], Awaitable[None]]) -> None:
    async def limited() -> None:
        made = Feeds(progress)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(30):
                await body(made)
        finally:
            progress.quick.set()
            made.close()

    asyncio.run(limited())


async def under_way(progress: Progress, looks: int) -> None:
    """Until so many looks were begun."""
    while progress.asked < looks:  # noqa: ASYNC110 - it has no event to await
        await asyncio.sleep(0.001)


def test_who_joins_a_feed_hears_nothing_that_was_looked_for_before(progress: Progress) -> None:
    """Given a feed with a look under way, when someone else begins to listen, then it hears of the next one."""

    async def listen(made: Feeds) -> None:
        async with made.watch("c1") as first:
            assert await first.next(30) == (1, b"1")
            progress.quick.clear()
            made.changed("c1")
            await under_way(progress, 2)
            async with made.watch("c1") as second:
                progress.quick.set()
                assert await second.next(30) == (3, b"3")

    run(progress, listen)


def test_what_was_being_looked_for_when_something_changed_is_not_told(progress: Progress) -> None:
    async def listen(made: Feeds) -> None:
        async with made.watch("c1") as listener:
            assert await listener.next(30) == (1, b"1")
            progress.quick.clear()
            made._feeds["c1"].look_again()
            await under_way(progress, 2)
            made.changed("c1")
            made.changed("c2")
            progress.quick.set()
            assert await listener.next(30) == (2, b"3")

    run(progress, listen)


def test_silence_is_told_of_and_an_end_too(progress: Progress) -> None:
    async def listen(made: Feeds) -> None:
        async with made.watch("c1") as listener:
            assert await listener.next(30) == (1, b"1")
            assert await listener.next(0.01) is None
            assert not listener.ended
            made.close()
            assert await listener.next(30) is None
            assert listener.ended
        assert made._feeds == {}

    run(progress, listen)


@pytest.mark.parametrize(
    ("method", "parameters", "told"),
    [
        ("POST", {"id": "c1"}, ["c1", "sent"]),
        ("DELETE", {"id": "c1"}, ["c1", "sent"]),
        ("GET", {"id": "c1"}, ["sent"]),
        ("POST", {}, ["sent"]),
    ],
)
def test_a_request_that_may_have_changed_a_campaign_is_told_of_before_it_is_answered(
    method: str, parameters: dict[str, str], told: list[str]
) -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scope["path_params"] = parameters  # as the router does
        await send({"type": "http.response.start"})

    async def send(_message: Any) -> None:
        seen.append("sent")

    changes = Changes(app, SimpleNamespace(changed=seen.append))  # type: ignore[arg-type]
    asyncio.run(changes({"type": "http", "method": method}, None, send))  # type: ignore[arg-type]
    assert seen == told
