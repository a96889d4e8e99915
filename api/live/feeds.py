"""Live status: all listeners of a campaign share one poll of Redis, a few times per second. Knows nothing of HTTP.

A single status request does not use this module: it reads Redis itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from campaigns.db import retrying
from campaigns.errors import UnknownCampaign
from campaigns.progress import Progress

log = structlog.get_logger(__name__)

#: The time between two polls of the status, in seconds: at most four changes per second.
POLL_S: Final = 0.25


class Feed:
    """The status of one campaign, as JSON, while it has listeners.

    `begun`: the number of polls begun so far. `found`: the number of the poll that last returned a status. `status`:
    that status. `version`: how many times the status has changed. `ended`: no further status will come.
    """

    def __init__(self, progress: Progress, campaign_id: str) -> None:
        self._progress = progress
        self._campaign_id = campaign_id
        self._news = asyncio.Event()
        self._due = asyncio.Event()
        self.version = 0
        self.status = b""
        self.ended = False
        self.listeners = 0
        self.begun = self.found = 0
        self._changes = 0  # by requests to this process
        self.poller = asyncio.create_task(self._poll())

    def look_again(self) -> None:
        """Poll now instead of at the next interval."""
        self._due.set()

    async def until(self, condition: Callable[[], bool], wait_s: float) -> bool:
        """Wait at most `wait_s` seconds until the condition holds or the feed ends; return whether one of them did."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not (self.ended or condition()):
                    await self._news.wait()
        return self.ended or condition()

    def changed(self) -> None:
        """A request has changed the campaign: discard the result of a running poll, and poll again at once."""
        self._changes += 1
        self.look_again()

    def end(self) -> None:
        """End the feed, and wake its listeners."""
        self.ended = True
        self._publish()

    def _publish(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _poll(self) -> None:
        try:
            while not self.ended:
                self._due.clear()
                wait_s = await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._due.wait()
        finally:
            self.end()

    async def _look(self) -> float:
        """Poll once; return how long to wait before the next poll, in seconds."""
        self.begun += 1
        changes = self._changes
        try:
            report = await run_in_threadpool(self._progress.report, self._campaign_id)
        except UnknownCampaign:  # deleted
            self.end()
            return 0.0
        except RedisError as error:
            log.warning("status_feed_interrupted", campaign_id=self._campaign_id, error=type(error).__name__)
            return retrying.CHECK_PAUSE_S  # the poll goes on by itself, and a request may have it poll sooner
        if changes == self._changes:
            self._take(msgspec.json.encode(report))
        return POLL_S

    def _take(self, status: bytes) -> None:
        self.found = self.begun
        if status != self.status:
            self.status, self.version = status, self.version + 1
        self._publish()


class Listener:
    """A listener of a feed: gets the status as it is when it joins, then every change."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._joined = feed.begun
        self._heard = 0
        feed.look_again()

    @property
    def ended(self) -> bool:
        """Whether no further status will come."""
        return self._feed.ended

    async def next(self, wait_s: float) -> tuple[int, bytes] | None:
        """The next status with its version; None if none came within `wait_s` seconds or the feed has ended."""
        if not await self._feed.until(self._is_news, wait_s) or self._feed.ended:
            return None
        self._heard = self._feed.version
        return self._heard, self._feed.status

    def _is_news(self) -> bool:
        # A poll that began before the listener joined may return an older status than the listener knows.
        return self._feed.found > self._joined and self._feed.version != self._heard


class Feeds:
    """The feeds that have listeners."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._feeds: dict[str, Feed] = {}
        self._closed = False

    @asynccontextmanager
    async def watch(self, campaign_id: str) -> AsyncIterator[Listener]:
        """Listen to the campaign while the block runs."""
        feed = self._feeds.get(campaign_id)
        if feed is None or feed.ended:
            feed = self._feeds[campaign_id] = Feed(self._progress, campaign_id)
        if self._closed:
            feed.end()
        feed.listeners += 1
        try:
            yield Listener(feed)
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.poller.cancel()
                if self._feeds.get(campaign_id) is feed:
                    del self._feeds[campaign_id]

    def changed(self, campaign_id: str) -> None:
        """A request to this process has changed a campaign: its listeners hear of it at once."""
        if feed := self._feeds.get(campaign_id):
            feed.changed()

    def close(self) -> None:
        """End every feed, now and later: a stopping server waits for its responses to end."""
        self._closed = True
        for feed in self._feeds.values():
            feed.end()
