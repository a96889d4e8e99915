"""Waiting for Redis: the pauses between two tries, and the loops that repeat a call until Redis responds.

A loop that does more stands in its own module, which says what it does. It takes its pause from here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from redis import RedisError

T = TypeVar("T")

#: Pause of work that needs Redis before its next try, in s.
PAUSE_S: Final = 0.25
#: Pause of a check or a display before its next try, in s.
CHECK_PAUSE_S: Final = 1.0
#: The first and the longest pause before Dramatiq retries a message of ParseCsv or Reconcile, in ms.
MESSAGE_PAUSE_MS: Final = 500
MESSAGE_PAUSE_MAX_MS: Final = 10_000


class StoppedWithoutRedis(Exception):
    """The process is stopping and Redis is unavailable."""


def until_answered(ask: Callable[[], T], stopping: threading.Event, failed: Callable[[RedisError], None]) -> T:
    """Call `ask` until Redis responds; return its result. The thread pauses for `PAUSE_S` after each failure.

    Args:
        ask: the call.
        stopping: ends the pauses.
        failed: called with each error, before the pause; an exception that it raises ends the loop.

    Raises:
        StoppedWithoutRedis: `stopping` was set first.
    """
    while True:
        try:
            return ask()
        except RedisError as error:
            failed(error)
            if stopping.wait(PAUSE_S):
                raise StoppedWithoutRedis(StoppedWithoutRedis.__doc__) from error


async def until_answered_async(ask: Callable[[], Awaitable[T]], failed: Callable[[RedisError], None]) -> T:
    """As `until_answered`, for an event loop. Cancelling the task ends it."""
    while True:
        try:
            return await ask()
        except RedisError as error:
            failed(error)
            await asyncio.sleep(PAUSE_S)


def growing_pauses(first_s: float, longest_s: float) -> Iterator[float]:
    """Pauses in s, without end. Each is twice as long as the previous one, up to `longest_s`."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)
