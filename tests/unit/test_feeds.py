"""The status that is asked for: as it is now, or, while Redis is slow to tell, as it was a moment ago; never as it was
before something that this process has changed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError

from api import feeds
from api.feeds import Feeds
from api.lifeline import Lifeline
from api.progress import Changes
from campaigns.errors import UnknownCampaign


class Progress:
    """Tells how often it was asked. While `quick` is not set the answer takes its time."""

    def __init__(self) -> None:
        self.asked = 0
        self.quick = threading.Event()
        self.quick.set()
        self.error: Exception | None = None

    def report(self, _campaign_id: str) -> Any:
        self.asked += 1
        found = self.asked
        self.quick.wait(10)
        if self.error:
            raise self.error
        return found


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time plays no part but where a test lets it."""
    monkeypatch.setattr(feeds, "POLL_S", 60.0)
    monkeypatch.setattr(feeds, "PATIENCE_S", 5.0)
    monkeypatch.setattr(feeds, "FRESH_S", 60.0)


def slow(progress: Progress) -> None:
    """Let no look end, and nobody wait for one for long."""
    feeds.PATIENCE_S = 0.05  # type: ignore[misc]  # put back by the fixture
    progress.quick.clear()


def run(progress: Progress, body: Callable[[Feeds], Awaitable[None]]) -> None:
    async def limited() -> None:
        lifeline = Lifeline("")
        lifeline.holds = True
        made = Feeds(progress, lifeline)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(10):
                await body(made)
        finally:
            progress.quick.set()
            made.close()

    asyncio.run(limited())


def test_each_question_is_answered_anew(progress: Progress) -> None:
    async def ask(made: Feeds) -> None:
        assert [await made.status("c1") for _ in range(3)] == [b"1", b"2", b"3"]

    run(progress, ask)


def test_while_redis_is_slow_the_last_status_will_do_and_the_look_goes_on(progress: Progress) -> None:
    async def ask(made: Feeds) -> None:
        assert await made.status("c1") == b"1"
        slow(progress)
        assert [await made.status("c1") for _ in range(3)] == [b"1", b"1", b"1"]
        assert progress.asked == 2  # one look for all of them
        looking = made._feeds["c1"]._looking
        assert looking is not None
        progress.quick.set()
        await looking
        slow(progress)
        assert await made.status("c1") == b"2"

    run(progress, ask)


def test_an_old_status_will_not_do(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "FRESH_S", 0.0)

    async def ask(made: Feeds) -> None:
        assert await made.status("c1") == b"1"
        slow(progress)
        asyncio.get_running_loop().call_later(0.1, progress.quick.set)
        assert await made.status("c1") == b"2"

    run(progress, ask)


@pytest.mark.parametrize("which", ["c1", None])
def test_what_was_changed_is_in_every_status_from_then_on(progress: Progress, which: str | None) -> None:
    async def ask(made: Feeds) -> None:
        assert await made.status("c1") == b"1"
        slow(progress)
        assert await made.status("c1") == b"1"  # from now on a look is under way that may have seen the state before
        made.changed("c2")
        assert await made.status("c1") == b"1"
        made.changed(which)
        asyncio.get_running_loop().call_later(0.1, progress.quick.set)
        assert await made.status("c1") == b"3"

    run(progress, ask)


def test_without_redis_there_is_no_status_however_young_the_last_one(progress: Progress) -> None:
    async def ask(made: Feeds) -> None:
        assert await made.status("c1") == b"1"
        progress.error = RedisConnectionError("away")
        with pytest.raises(RedisConnectionError):
            await made.status("c1")

    run(progress, ask)


def test_without_the_lifeline_nothing_from_before_will_do(progress: Progress) -> None:
    async def ask(made: Feeds) -> None:
        assert await made.status("c1") == b"1"
        made._lifeline.holds = False
        slow(progress)
        asyncio.get_running_loop().call_later(0.2, progress.quick.set)
        assert await made.status("c1") == b"2"

    run(progress, ask)


async def forgotten(made: Feeds) -> None:
    """Until there is no feed any more."""
    while made._feeds:  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0.01)


def test_an_unknown_campaign_leaves_nothing_behind(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "POLL_S", 0.01)
    progress.error = UnknownCampaign()

    async def ask(made: Feeds) -> None:
        with pytest.raises(UnknownCampaign):
            await made.status("c1")
        await forgotten(made)

    run(progress, ask)


def test_who_asks_again_and_again_is_looked_for_meanwhile_and_who_asked_once_is_not(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "POLL_S", 0.01)
    monkeypatch.setattr(feeds, "LINGER_S", 0.2)

    async def ask(made: Feeds) -> None:
        await made.status("once")
        await forgotten(made)
        assert progress.asked == 1
        await made.status("twice")
        await made.status("twice")
        await forgotten(made)
        assert progress.asked > 3

    run(progress, ask)


def test_who_begins_to_listen_hears_of_now_first_and_others_who_ask_make_no_events(progress: Progress) -> None:
    async def listen(made: Feeds) -> None:
        assert await made.status("c1") == b"1"
        async with made.watch("c1") as feed:
            assert await feed.after(0, 5.0)
            assert (feed.version, feed.status) == (1, b"2")
            assert [await made.status("c1") for _ in range(3)] == [b"3", b"4", b"5"]
            assert (feed.version, feed.status) == (1, b"2")
            # but what an operator changes is told at once
            made.changed("c1")
            assert await feed.after(1, 5.0)
            assert (feed.version, feed.status) == (2, b"6")

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
