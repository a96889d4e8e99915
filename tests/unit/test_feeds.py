"""Listeners of a live status share polls: each first hears a status that is current when it joins, and none from before
a change that this process made.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api.live import feeds
from api.live.changes import PublishChanges
from api.live.feeds import Feeds


class Progress:
    """Each poll returns its number. While `quick` is not set, a poll takes its time, and its result is from before."""

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


async def under_way(progress: Progress, polls: int) -> None:
    """Wait until so many polls have begun."""
    while progress.asked < polls:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.001)


def test_a_new_listener_hears_nothing_from_a_poll_that_began_before_it_joined(progress: Progress) -> None:
    """Given a feed with a poll under way, when someone else joins, then the new listener hears the result of the next
    poll.
    """

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


def test_the_result_of_a_poll_that_a_change_has_overtaken_is_not_sent(progress: Progress) -> None:
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


def test_a_listener_notices_silence_and_the_end(progress: Progress) -> None:
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
def test_a_request_that_may_change_a_campaign_is_announced_before_its_response(
    method: str, parameters: dict[str, str], told: list[str]
) -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scope["path_params"] = parameters  # as the router does
        await send({"type": "http.response.start"})

    async def send(_message: Any) -> None:
        seen.append("sent")

    changes = PublishChanges(app, SimpleNamespace(changed=seen.append))  # type: ignore[arg-type]
    asyncio.run(changes({"type": "http", "method": method}, None, send))  # type: ignore[arg-type]
    assert seen == told
