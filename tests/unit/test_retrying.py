"""Waiting for Redis: the loop asks until Redis replies, the process stops, or the caller ends it."""

from __future__ import annotations

import asyncio
import threading
from itertools import islice

import pytest
from redis import ConnectionError as RedisConnectionError, RedisError

from campaigns.db import retrying


class ComesBack:
    """A Redis that fails some times before it replies; `errors`: what its caller was told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.errors: list[RedisError] = []

    def ask(self) -> str:
        if self.failures:
            self.failures -= 1
            raise RedisConnectionError("gone")
        return "there"

    async def ask_async(self) -> str:
        return self.ask()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "PAUSE_S", 0)


def test_the_loop_asks_until_redis_replies_and_reports_each_failure() -> None:
    redis = ComesBack(failures=3)
    assert retrying.until_answered(redis.ask, threading.Event(), redis.errors.append) == "there"
    assert len(redis.errors) == 3


def test_the_async_loop_works_the_same_way() -> None:
    redis = ComesBack(failures=3)
    assert asyncio.run(retrying.until_answered_async(redis.ask_async, redis.errors.append)) == "there"
    assert len(redis.errors) == 3


def test_a_stopping_process_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a Redis that is away and a long pause, when the process stops, then the wait ends at once."""
    monkeypatch.setattr(retrying, "PAUSE_S", 3600)
    redis, stopping = ComesBack(failures=10**9), threading.Event()
    stopping.set()
    with pytest.raises(retrying.StoppedWithoutRedis, match="Redis is unavailable") as raised:
        retrying.until_answered(redis.ask, stopping, redis.errors.append)
    assert redis.errors == [raised.value.__cause__]


def test_a_stopping_process_still_gets_a_reply() -> None:
    redis, stopping = ComesBack(failures=0), threading.Event()
    stopping.set()
    assert retrying.until_answered(redis.ask, stopping, redis.errors.append) == "there"


def test_the_caller_can_end_the_loop_with_an_exception() -> None:
    def failed(error: RedisError) -> None:
        raise LookupError from error

    redis = ComesBack(failures=10**9)
    with pytest.raises(LookupError):
        retrying.until_answered(redis.ask, threading.Event(), failed)
    with pytest.raises(LookupError):
        asyncio.run(retrying.until_answered_async(redis.ask_async, failed))


def test_other_errors_end_the_loop() -> None:
    with pytest.raises(ZeroDivisionError):
        retrying.until_answered(lambda: 1 // 0, threading.Event(), lambda _error: None)


def test_growing_pauses_double_up_to_the_longest() -> None:
    assert [*islice(retrying.growing_pauses(1, 15), 7)] == [1, 2, 4, 8, 15, 15, 15]
