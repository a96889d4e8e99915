"""The pool of SMTP connections: reuse, limits, idle ones, and who shares a failure. Time is the loop's, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from mail.outcome import Kind, Outcome
from mail.providers.smtp_connection import Connection, NotSent
from mail.providers.smtp_pool import FEWER_S, Busy, Pool


class Line:
    """A connection without a server."""

    def __init__(self) -> None:
        self.messages = 0
        self.is_connected = True
        self.is_worn = False
        self.ended = ""

    def abort(self) -> None:
        self.is_connected = False
        self.ended = self.ended or "abort"

    async def quit(self) -> None:
        self.ended = "quit"


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when the test says so."""

    now = 0.0

    def time(self) -> float:
        return self.now

    async def passes(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due."""
        self.now += seconds
        for _ in range(10):
            await asyncio.sleep(0)


class Opener:
    """Opens lines; the next failures come first."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.failures: list[NotSent] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> Connection:
        await self.go.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.lines.append(Line())
        return cast(Connection, self.lines[-1])


def run(test: Callable[[Clock, Opener], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:

        async def ran() -> None:
            await test(cast(Clock, asyncio.get_running_loop()), Opener())

        runner.run(ran())


def refusal(code: int | None, kind: Kind = Kind.UNAVAILABLE) -> NotSent:
    return NotSent(Outcome(kind, "no"), code)


def line(connection: Connection) -> Line:
    return cast(Line, connection)


def test_the_connection_that_was_used_last_is_used_next_and_the_others_are_closed() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 3, 100, idle_s=8)
        first, second = await pool.acquire(9), await pool.acquire(9)
        pool.release(first)
        pool.release(second)
        await clock.passes(5)
        assert await pool.acquire(99) is second
        await clock.passes(4)
        assert line(first).ended == "quit"
        assert line(second).ended == ""
        pool.release(second)
        await clock.passes(9)
        assert line(second).ended == "quit"

    run(test)


def test_an_idle_connection_that_is_lost_is_not_lent() -> None:
    async def test(_: Clock, opener: Opener) -> None:
        pool = Pool(opener, 1, 100)
        first = await pool.acquire(9)
        pool.release(first)
        line(first).is_connected = False
        assert await pool.acquire(9) is not first

    run(test)


def test_first_come_first_served_and_never_above_the_limit() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 1, 100)
        held = await pool.acquire(9)
        served: list[int] = []

        async def wait(number: int) -> None:
            connection = await pool.acquire(99)
            served.append(number)
            pool.release(connection)

        waiting = [asyncio.create_task(wait(number)) for number in range(5)]
        await clock.passes(0)
        assert served == []
        waiting[1].cancel()
        pool.release(held)
        await asyncio.gather(*waiting, return_exceptions=True)
        assert served == [0, 2, 3, 4]
        assert opener.lines == [line(held)]

    run(test)


@pytest.mark.parametrize("change", [{"messages": 2}, {"is_worn": True}])
def test_a_used_up_connection_counts_until_it_is_closed(change: dict[str, Any]) -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 1, 2)
        first = await pool.acquire(9)
        vars(first).update(change)
        pool.release(first)
        task = asyncio.create_task(pool.acquire(9))
        assert len(opener.lines) == 1
        await clock.passes(0)
        assert line(first).ended == "quit"
        assert await task is not first

    run(test)


def test_without_a_free_connection_in_time_the_message_was_not_tried() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 1, 100)
        held = await pool.acquire(9)
        task = asyncio.create_task(pool.acquire(5))
        await clock.passes(4)
        assert not task.done()
        await clock.passes(2)
        with pytest.raises(Busy):
            await task
        pool.release(held)
        assert await pool.acquire(99) is held

    run(test)


def test_a_connection_that_becomes_free_as_its_waiter_gives_up_is_not_lost() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 1, 100)
        held = await pool.acquire(9)
        first, second = (asyncio.create_task(pool.acquire(99)) for _ in range(2))
        await clock.passes(0)
        pool.release(held)
        first.cancel()
        assert await second is held
        with pytest.raises(asyncio.CancelledError):
            await first

    run(test)


def test_all_that_wait_share_the_failure_if_there_is_no_connection() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 2, 100)
        opener.go.clear()
        opener.failures = [refusal(535, Kind.REFUSED)] * 2
        tasks = [asyncio.create_task(pool.acquire(99)) for _ in range(50)]
        await clock.passes(0)
        opener.go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in found] == [NotSent] * 50
        assert isinstance(await pool.acquire(9), Line)

    run(test)


def test_while_others_are_connected_only_the_one_that_failed_fails() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 2, 100)
        held = await pool.acquire(9)
        opener.failures = [refusal(None, Kind.UNREACHABLE)]
        with pytest.raises(NotSent):
            await pool.acquire(9)
        task = asyncio.create_task(pool.acquire(9))
        await clock.passes(0)
        assert await task is not held

    run(test)


def test_a_server_that_takes_no_more_connections_is_asked_again_after_a_while() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 3, 100)
        held = await pool.acquire(9)
        opener.failures = [refusal(421)]
        tasks = [asyncio.create_task(pool.acquire(999)) for _ in range(2)]
        await clock.passes(0)
        assert opener.failures == []
        assert [task.done() for task in tasks].count(True) == 0
        pool.release(held)
        await clock.passes(0)
        assert [task.result() for task in tasks if task.done()] == [held]
        await clock.passes(FEWER_S + 1)
        await asyncio.gather(*tasks)
        assert len(opener.lines) == 2

    run(test)


def test_a_cold_start_settles_at_what_the_server_takes() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 8, 100)
        opener.failures = [refusal(421)] * 6
        opener.go.clear()
        tasks = [asyncio.create_task(pool.acquire(999)) for _ in range(20)]
        await clock.passes(0)
        opener.go.set()
        for _ in range(20):
            await clock.passes(0)
            for task in [task for task in tasks if task.done()]:
                tasks.remove(task)
                pool.release(await task)
        assert tasks == []
        assert len(opener.lines) == 2

    run(test)


def test_a_server_that_takes_no_connection_at_all_fails_all() -> None:
    async def test(clock: Clock, opener: Opener) -> None:
        pool = Pool(opener, 8, 100)
        opener.failures = [refusal(421)] * 8
        opener.go.clear()
        tasks = [asyncio.create_task(pool.acquire(999)) for _ in range(20)]
        await clock.passes(0)
        opener.go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(error) for error in found} == {NotSent}

    run(test)


def test_a_closed_pool_lends_nothing_and_closes_what_comes_back() -> None:
    async def test(_: Clock, opener: Opener) -> None:
        pool = Pool(opener, 2, 100)
        lent, idle = await pool.acquire(9), await pool.acquire(9)
        pool.release(idle)
        await pool.close()
        assert line(idle).ended == "quit"
        pool.release(lent)
        assert line(lent).ended == "abort"
        with pytest.raises(NotSent):
            await pool.acquire(9)

    run(test)
