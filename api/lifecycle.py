"""What runs beside the requests: waiting for services, the janitor, and a clean end of live answers."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Final

import structlog
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from api.components import Components
from api.feeds import Feeds
from api.janitor import Janitor
from campaigns.layout import WrongLayout
from storage import StoreError

log = structlog.get_logger(__name__)

#: How long to wait before a service that is away is asked again, in seconds: doubled each time.
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 15.0


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Run the background duties as long as the application runs. It starts at once, whoever is away."""
    parts: Components = app.state.components
    _end_feeds_first(parts.feeds)
    duties = [
        asyncio.create_task(until_there("redis", parts.redis.ping)),
        asyncio.create_task(until_there("store", parts.store.ensure_bucket)),
        asyncio.create_task(Janitor(parts.redis, parts.catalog, parts.store).run()),
    ]
    try:
        yield
    finally:
        for duty in duties:
            duty.cancel()
        await asyncio.gather(*duties, return_exceptions=True)
        parts.feeds.close()


async def until_there(name: str, ask: Callable[[], object]) -> None:
    """Ask a service until it answers, with a log line for each failure and one for the success."""
    wait_s = FIRST_RETRY_S
    while True:
        try:
            await run_in_threadpool(ask)
        except (RedisError, StoreError) as error:
            what = str(error) if isinstance(error, StoreError | WrongLayout) else type(error).__name__
            log.warning("service_away", service=name, error=what, retry_in_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_RETRY_S)
        else:
            log.info("service_ready", service=name)
            return


def _end_feeds_first(feeds: Feeds) -> None:
    """End live answers as soon as the server is told to stop.

    It would wait for them before it ends the lifespan, and they never end by themselves. Its own signal handlers, which
    are in place by now, run after ours.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # signals come to the main thread only; a server in another one is stopped in other ways
    loop = asyncio.get_running_loop()

    def chain(number: signal.Signals) -> None:
        before = signal.getsignal(number)

        def handle(signum: int, frame: FrameType | None) -> None:
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(feeds.close)
            if callable(before):
                before(signum, frame)

        if callable(before):
            signal.signal(number, handle)

    chain(signal.SIGTERM)
    chain(signal.SIGINT)
