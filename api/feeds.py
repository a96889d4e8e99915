"""Live status: one look at Redis for everybody who asks or watches at that moment. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from api.lifeline import Lifeline
from campaigns.errors import UnknownCampaign
from campaigns.progress import Progress

log = structlog.get_logger(__name__)

#: The time between two looks at the status, in seconds: four changes a second at most.
POLL_S: Final = 0.25
#: The time between two looks while Redis is away, in seconds.
RETRY_S: Final = 1.0
#: Whoever asks for a status waits so long for Redis, in seconds, if there is one that is not older than `FRESH_S`.
PATIENCE_S: Final = 0.001
FRESH_S: Final = 0.3
#: Whoever has asked twice within so many seconds is taken to ask again within as many.
LINGER_S: Final = 2.0


class Feed:
    """The status of one campaign, as JSON.

    For those who listen: `status`, whose changes `version` counts; `ended`: no more will come.
    """

    def __init__(self, progress: Progress, lifeline: Lifeline, campaign_id: str) -> None:
        self._progress = progress
        self._lifeline = lifeline
        self._campaign_id = campaign_id
        self._news = asyncio.Event()
        self.loop: Final = asyncio.get_running_loop()
        self.version = 0
        self.status = b""
        self.ended = False
        self.listeners = 0
        # By the loop's clock: when somebody asked, and until when somebody is expected to ask again.
        self._asked_at = self._expected_until = -math.inf
        # What operators have changed, counted; and what was found last, when it was asked for, and after which change.
        self._changes = 0
        self._found, self._found_at, self._found_after = b"", -math.inf, 0
        self._looking: asyncio.Task[bytes] | None = None
        self._due = asyncio.Event()
        self.poller = asyncio.create_task(self._poll())

    async def latest(self) -> bytes:
        """The status now; where Redis is slow to tell, one that is at most `FRESH_S` old and has all that operators
        have changed.

        Raises:
            UnknownCampaign, redis.RedisError
        """
        now = self.loop.time()
        if now - self._asked_at < LINGER_S:
            self._expected_until = now + LINGER_S
        self._asked_at = now
        look = self._look()
        await asyncio.wait({look}, timeout=PATIENCE_S)
        fresh = self._found_after == self._changes and self._found_at >= now - FRESH_S
        if not look.done() and fresh and self._lifeline.holds:
            return self._found
        return await asyncio.shield(look)

    async def after(self, version: int, wait_s: float) -> bool:
        """Wait for a version after this one, or the end; False where neither came within `wait_s` seconds."""
        if self.version == version and not self.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
        return self.version != version or self.ended

    @property
    def watched(self) -> bool:
        """Whether somebody listens, or is expected to ask."""
        return self.listeners > 0 or self.loop.time() < self._expected_until

    def changed(self) -> None:
        """An operator has changed something: what was found before, or is being looked for, will not do any more."""
        self._changes += 1
        self._looking = None
        self._due.set()

    def end(self) -> None:
        """Let the listeners go."""
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _poll(self) -> None:
        try:
            while not self.ended:
                wait_s = await self._look_if_watched()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._due.wait()
                self._due.clear()
        finally:
            self.end()

    async def _look_if_watched(self) -> float:
        """How long to wait before the next look, in seconds."""
        if not self.watched:
            if self.loop.time() - self._asked_at > LINGER_S:
                self.end()
            return POLL_S
        try:
            status = await asyncio.shield(self._look())
        except UnknownCampaign:  # deleted
            return 0.0
        except RedisError as error:
            log.warning("status_feed_interrupted", campaign_id=self._campaign_id, error=type(error).__name__)
            return RETRY_S
        if status != self.status:
            self.status, self.version = status, self.version + 1
            self._tell()
        return POLL_S

    def _look(self) -> asyncio.Task[bytes]:
        """The look that is under way, or a new one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._ask(self._changes))
            self._looking.add_done_callback(_noticed)
        return self._looking

    async def _ask(self, changes: int) -> bytes:
        asked_at = self.loop.time()
        try:
            report = await run_in_threadpool(self._progress.report, self._campaign_id)
        except UnknownCampaign:
            if changes == self._changes:
                self.end()
            raise
        except RedisError:
            self._found_at = -math.inf
            raise
        found = msgspec.json.encode(report)
        if changes >= self._found_after:
            self._found, self._found_at, self._found_after = found, asked_at, changes
        return found


def _noticed(look: asyncio.Task[bytes]) -> None:
    """An error of a look that nobody waits for any more is no news: whoever asks next asks anew."""
    if not look.cancelled():
        look.exception()


class Feeds:
    """The feeds that somebody watches or has asked for lately.

    Args:
        lifeline: while it holds, a status from a moment ago will do where Redis is slow.
    """

    def __init__(self, progress: Progress, lifeline: Lifeline) -> None:
        self._progress = progress
        self._lifeline = lifeline
        self._feeds: dict[str, Feed] = {}
        self._closed = False

    async def status(self, campaign_id: str) -> bytes:
        """A campaign's status as JSON: see `Feed.latest`.

        Raises:
            UnknownCampaign, redis.RedisError
        """
        return await self._feed(campaign_id).latest()

    @asynccontextmanager
    async def watch(self, campaign_id: str) -> AsyncIterator[Feed]:
        """A feed of the campaign for as long as the block lasts."""
        known = self._feeds.get(campaign_id)
        if known is not None and not known.watched:
            known.end()  # nobody has looked for a while: what it would tell first is old
        feed = self._feed(campaign_id)
        if self._closed:
            feed.end()
        feed.listeners += 1
        try:
            yield feed
        finally:
            feed.listeners -= 1
            if not feed.watched:
                feed.poller.cancel()
                self._forget(campaign_id, feed)

    def changed(self, campaign_id: str | None) -> None:
        """A campaign, or any (None), has been changed: no status of it from before is to be shown."""
        for known, feed in self._feeds.items():
            if campaign_id in {None, known}:
                feed.changed()

    def close(self) -> None:
        """End every feed, now and later: the server is about to stop, and waits for its answers to end."""
        self._closed = True
        for feed in self._feeds.values():
            feed.end()

    def _feed(self, campaign_id: str) -> Feed:
        feed = self._feeds.get(campaign_id)
        if feed is None or feed.ended or feed.loop is not asyncio.get_running_loop():
            feed = self._feeds[campaign_id] = Feed(self._progress, self._lifeline, campaign_id)
            feed.poller.add_done_callback(lambda _poller: self._forget(campaign_id, feed))
        return feed

    def _forget(self, campaign_id: str, feed: Feed) -> None:
        if self._feeds.get(campaign_id) is feed:
            del self._feeds[campaign_id]
