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
from anyio import move_on_after, to_thread
from redis import Redis
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.components import Components
from api.live.feeds import Feeds
from api.uploads.janitor import Janitor
from campaigns import refusals
from campaigns.server import WrongRedis
from storage import StoreError

log = structlog.get_logger(__name__)

#: How long to wait before a service that is away is asked again, in seconds: doubled each time.
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 15.0
#: How long the start waits for Redis to say what it is, in seconds.
CHECK_S: Final = 5.0


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Run the background duties as long as the application runs. It starts whoever is away.

    Raises:
        WrongRedis: Redis is there, and not one to work on.
    """
    parts: Components = app.state.components
    with suppress(RedisAway), move_on_after(CHECK_S):
        await to_thread.run_sync(_check, parts.redis, abandon_on_cancel=True)
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


def _check(redis: Redis) -> None:
    try:
        redis.ping()
    except WrongRedis:
        raise
    except RedisError as error:
        raise RedisAway from error


class RedisAway(Exception):
    """It is waited for, and checked when it comes."""


class OneLine:
    """Lets the server say in one line, without a traceback, that it does not start on this Redis."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but that."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: list[Message] = []

        async def send_or_keep(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, send_or_keep)
        except WrongRedis as error:
            await send({"type": "lifespan.startup.failed", "message": f"postrider: {error}"})
        except BaseException:
            for message in failed:
                await send(message)
            raise


async def until_there(name: str, ask: Callable[[], object]) -> None:
    """Ask a service until it answers, with a log line for each failure and one for the success."""
    wait_s = FIRST_RETRY_S
    while True:
        try:
            await run_in_threadpool(ask)
        except (RedisError, StoreError) as error:
            what = str(error) if isinstance(error, StoreError) else refusals.words(error) or type(error).__name__
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
