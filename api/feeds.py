"""Live status: one poller a campaign, shared by everybody who watches it. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from campaigns.errors import UnknownCampaign
from campaigns.progress import Progress

log = structlog.get_logger(__name__)

#: The time between two looks at the status, in seconds: four changes a second at most.
POLL_S: Final = 0.25
#: The time between two looks while Redis is away, in seconds.
RETRY_S: Final = 1.0


class Feed:
    """The status of one campaign, as JSON. `version` counts its changes; `ended`: no more will come."""

    def __init__(self, progress: Progress, campaign_id: str) -> None:
        self._progress = progress
        self._campaign_id = campaign_id
        self._news = asyncio.Event()
        self.version = 0
        self.status = b""
        self.ended = False
        self.listeners = 0
        self.poller = asyncio.create_task(self._poll())

    async def after(self, version: int, wait_s: float) -> bool:
        """Wait for a version after this one, or the end; False where neither came within `wait_s` seconds."""
        if self.version == version and not self.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
        return self.version != version or self.ended

    def end(self) -> None:
        """Let the listeners go."""
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _poll(self) -> None:
        try:
            while not self.ended:  # noqa: ASYNC110 - it is Redis that is asked, and Redis rings no bell
                await asyncio.sleep(await self._look())
        finally:
            self.end()

    async def _look(self) -> float:
        """Look once; how long to wait before the next look, in seconds."""
        try:
            report = await run_in_threadpool(self._progress.report, self._campaign_id)
        except UnknownCampaign:  # deleted
            self.end()
            return 0.0
        except RedisError as error:
            log.warning("status_feed_interrupted", campaign_id=self._campaign_id, error=type(error).__name__)
            return RETRY_S
        status = msgspec.json.encode(report)
        if status != self.status:
            self.status, self.version = status, self.version + 1
            self._tell()
        return POLL_S


class Feeds:
    """The feeds that somebody watches."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._feeds: dict[str, Feed] = {}
        self._closed = False

    @asynccontextmanager
    async def watch(self, campaign_id: str) -> AsyncIterator[Feed]:
        """A feed of the campaign for as long as the block lasts."""
        feed = self._feeds.get(campaign_id)
        if feed is None or feed.ended:
            feed = self._feeds[campaign_id] = Feed(self._progress, campaign_id)
        if self._closed:
            feed.end()
        feed.listeners += 1
        try:
            yield feed
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.poller.cancel()
                if self._feeds.get(campaign_id) is feed:
                    del self._feeds[campaign_id]

    def close(self) -> None:
        """End every feed, now and later: the server is about to stop, and waits for its answers to end."""
        self._closed = True
        for feed in self._feeds.values():
            feed.end()
