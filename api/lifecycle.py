"""What runs beside the requests: waiting for services, the janitor, and ending event streams at shutdown."""

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

from api import webhook_health
from api.components import Components
from api.live.feeds import Feeds
from api.outgoing.delivery import Delivery
from api.suppression_flush import SuppressionDuty
from api.uploads.janitor import Janitor
from campaigns.announcements import Announcements
from campaigns.db import refusals, retrying
from campaigns.db.server import WrongRedis
from storage import StoreError

log = structlog.get_logger(__name__)

#: The longest pause before the next check of an unavailable service, in seconds.
CHECK_PAUSE_MAX_S: Final = 15.0
#: How long startup waits for the check of Redis, in seconds.
CHECK_S: Final = 5.0


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Run the background tasks while the application runs. It starts even while Redis or the store is unavailable.

    Raises:
        WrongRedis: Redis answers and is unsafe to use.
    """
    parts: Components = app.state.components
    with suppress(RedisAway), move_on_after(CHECK_S):
        await to_thread.run_sync(_check, parts.redis, abandon_on_cancel=True)
    _end_feeds_first(parts.feeds)
    duties = [
        asyncio.create_task(until_there("redis", parts.redis.ping)),
        asyncio.create_task(until_there("store", parts.store.ensure_bucket)),
        asyncio.create_task(Janitor(parts.redis, parts.catalog, parts.store, parts.settings.retention_days).run()),
        asyncio.create_task(webhook_health.keep_written(parts.webhook_figures)),
        asyncio.create_task(SuppressionDuty(parts.redis, parts.suppressions).run()),
    ]
    if delivery := _delivery(parts):
        duties.append(asyncio.create_task(delivery.run()))
    try:
        yield
    finally:
        for duty in duties:
            duty.cancel()
        await asyncio.gather(*duties, return_exceptions=True)
        with suppress(RedisError), move_on_after(webhook_health.FLUSH_EVERY_S):
            await to_thread.run_sync(parts.webhook_figures.flush, abandon_on_cancel=True)
        parts.feeds.close()
        for provider in parts.providers.values():
            await provider.close()


def _delivery(parts: Components) -> Delivery | None:
    """The duty of outgoing events, if there is a receiver."""
    url, secret = parts.settings.events_url, parts.settings.events_secret
    if url is None or secret is None:
        return None
    return Delivery(
        Announcements(parts.redis, url, secret), url, secret, allow_private=parts.settings.events_allow_private
    )


def _check(redis: Redis) -> None:
    try:
        redis.ping()
    except WrongRedis:
        raise
    except RedisError as error:
        raise RedisAway from error


class RedisAway(Exception):
    """Redis is unreachable. The application starts anyway, and checks Redis when it connects."""


class OneLine:
    """Makes a start that fails because of the wrong Redis report one line instead of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, except that failure."""
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
    """Call `ask` until it succeeds; log each failure and the success.

    Not `retrying.until_answered_async`: the store is checked too, and the pauses grow.

    Args:
        name: the service's name in the log.
        ask: a check that raises RedisError or StoreError while the service is unavailable.
    """
    for pause_s in retrying.growing_pauses(retrying.CHECK_PAUSE_S, CHECK_PAUSE_MAX_S):
        try:
            await run_in_threadpool(ask)
        except (RedisError, StoreError) as error:
            what = str(error) if isinstance(error, StoreError) else refusals.words(error) or type(error).__name__
            log.warning("service_away", service=name, error=what, retry_in_s=pause_s)
            await asyncio.sleep(pause_s)
        else:
            log.info("service_ready", service=name)
            return


def _end_feeds_first(feeds: Feeds) -> None:
    """End the event streams as soon as the server is told to stop.

    The server waits for all responses before it ends the lifespan, and an event stream never ends without this. The
    server's signal handlers are installed by now; ours runs first and then calls them.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread receives signals; a server in another thread is stopped in other ways
    loop = asyncio.get_running_loop()

    def chain(number: signal.Signals) -> None:
        before = signal.getsignal(number)

        def handle(signum: int, frame: FrameType | None) -> None:
            with suppress(RuntimeError):  # the loop is already closed
                loop.call_soon_threadsafe(feeds.close)
            if callable(before):
                before(signum, frame)

        if callable(before):
            signal.signal(number, handle)

    chain(signal.SIGTERM)
    chain(signal.SIGINT)
