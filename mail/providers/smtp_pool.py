"""The pool of connections to one SMTP server: how many there are, how long each is used, and who gets the next one.

What is sent on a connection is the business of `smtp` and `smtp_connection`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from mail.outcome import Kind, Outcome
from mail.providers.smtp_connection import Connection, NotSent

#: How long an idle connection is kept, in seconds. Postfix under stress closes its own after 10 s (`smtpd_timeout`).
IDLE_S: Final = 8.0
#: How long the pool keeps to fewer connections after the server has refused one more, in seconds.
FEWER_S: Final = 60.0


class Busy(Exception):
    """No connection became free in time; the message was not tried."""


class Pool:
    """Lends connections, each to one message at a time, first come, first served.

    Args:
        connect: opens a connection; raises NotSent.
        limit: the most connections at once.
        max_messages: the messages after which a connection is replaced.
        idle_s: how long an idle connection is kept, in seconds.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], limit: int, max_messages: int, idle_s: float = IDLE_S
    ) -> None:
        self._connect = connect
        self._full_limit = self._limit = limit
        self._max_messages = max_messages
        self._idle_s = idle_s
        self._is_closed = False
        #: Connections that are lent, being opened or being closed.
        self._taken = 0
        self._opening = 0
        self._lent: set[Connection] = set()
        #: The connection that was used last comes last, and is lent first: so the others become idle and are closed.
        self._idle: dict[Connection, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()

    async def acquire(self, until: float) -> Connection:
        """Borrow a connection; give it back with `release`.

        Args:
            until: how long to wait for a free one, in seconds by the loop's clock. Opening one may take longer.

        Raises:
            Busy: none became free.
            NotSent: none can be opened.
        """
        while True:
            await self._take(until)
            try:
                connection = self._reused() or await self._opened()
            except BaseException:
                self._give_back()
                raise
            if connection is not None:
                self._lent.add(connection)
                return connection
            self._give_back()

    async def _take(self, until: float) -> None:
        if self._is_closed:
            raise NotSent(Outcome(Kind.UNREACHABLE, "the SMTP client is closed"))
        if self._taken < self._limit and not self._waiters:
            self._taken += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(until):
                await waiter
        except TimeoutError:
            self._forgo(waiter)
            raise Busy from None
        except BaseException:
            self._forgo(waiter)
            raise

    def _forgo(self, waiter: asyncio.Future[None]) -> None:
        """Leave the queue; a connection that became free at this very moment is for the next one."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self._give_back()

    def _give_back(self) -> None:
        self._taken -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiters and self._taken < self._limit:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._taken += 1
                waiter.set_result(None)

    def _reused(self) -> Connection | None:
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.is_connected:
                return connection
        return None

    async def _opened(self) -> Connection | None:
        """A new connection; None if the server takes no more of them, and one of the others has to do."""
        self._opening += 1
        try:
            return await self._connect()
        except NotSent as error:
            others = len(self._lent) + self._opening - 1
            if error.is_temporary and others:
                self._make_do(others)
                return None
            if not self._lent:
                self._fail_all(error)
            raise
        finally:
            self._opening -= 1

    def _make_do(self, connections: int) -> None:
        """Keep to as many connections as there are, for a while."""
        self._limit = connections
        asyncio.get_running_loop().call_later(FEWER_S, self._allow_all)

    def _allow_all(self) -> None:
        self._limit = self._full_limit
        self._wake()

    def _fail_all(self, error: NotSent) -> None:
        """Everything that waits fails alike: a wrong password is tried once per connection, not once per message."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(NotSent(error.outcome, error.code))

    def release(self, connection: Connection) -> None:
        """Give a connection back. One that is used up is closed; one that is lost is forgotten."""
        self._lent.discard(connection)
        if not connection.is_connected or self._is_closed:
            connection.abort()
            self._give_back()
        elif connection.messages >= self._max_messages or connection.is_worn:
            # It counts until the server knows that it is closed, so that there are never more than the limit.
            self._close(connection, self._give_back)
        else:
            loop = asyncio.get_running_loop()
            self._idle[connection] = loop.call_later(self._idle_s, self._expire, connection)
            self._give_back()

    def _expire(self, connection: Connection) -> None:
        if self._idle.pop(connection, None):
            self._close(connection, lambda: None)

    def _close(self, connection: Connection, then: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(connection.quit())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        task.add_done_callback(lambda _: then())

    async def close(self) -> None:
        """Close all idle connections; those that are lent are closed when they come back."""
        self._is_closed = True
        self._fail_all(NotSent(Outcome(Kind.UNREACHABLE, "the SMTP client is closed")))
        for connection in list(self._idle):
            self._idle[connection].cancel()
            self._expire(connection)
        await asyncio.gather(*self._closing)
