"""Costly rows: emails that take long to render are rendered one at a time, so that they do not block the event loop.

Delivery renders ordinary emails directly, without a queue.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import structlog

from mail.message import Message

log = structlog.get_logger(__name__)

#: A row is costly if rendering it takes more CPU time than this, in s.
COSTLY_S: Final = 0.005
#: The pause after a costly row, as a multiple of the CPU time that the row took. Costly rows thus get one fifth of the
#: event loop's time.
REST: Final = 4
#: The longest time that a row waits for its turn before it is requeued, in s. This is well below the age at which its
#: claim expires.
PATIENCE_S: Final = 10.0

#: Campaign id and list version.
Key = tuple[str, str]


class _Waiting(NamedTuple):
    render: Callable[[], Message]
    since: float
    result: asyncio.Future[Message | None]


class CostlyRows:
    """Renders the rows of campaigns with costly rows, one row at a time, and the campaigns in turn.

    Args:
        is_sending: returns whether a campaign still sends this list. If not, its rows are requeued immediately.
    """

    def __init__(self, is_sending: Callable[[str, str], Awaitable[bool]]) -> None:
        self._is_sending = is_sending
        self._costly: set[Key] = set()
        self._suspects: set[Key] = set()
        self._queues: OrderedDict[Key, deque[_Waiting]] = OrderedDict()
        self._server: asyncio.Task[None] | None = None

    def __contains__(self, key: Key) -> bool:
        return key in self._costly

    def render_here(self, key: Key, render: Callable[[], Message]) -> Message:
        """Render a row's message now. If this takes long, later rows of its campaign may have to wait for their turns.

        Raises:
            RenderError: from `render`.
        """
        # The thread's CPU time decides, because on a busy machine any row may wait for a processor. Reading that clock
        # takes one microsecond, so it is read only after a row of the campaign was slow by the faster clock.
        clock = time.thread_time if key in self._suspects else time.perf_counter
        started = clock()
        try:
            return render()
        finally:
            self._judge(key, clock() - started, by_cpu=clock is time.thread_time)

    def _judge(self, key: Key, took_s: float, *, by_cpu: bool) -> None:
        if took_s > COSTLY_S:
            (self._costly if by_cpu else self._suspects).add(key)
        elif by_cpu:
            self._suspects.discard(key)

    async def render(self, key: Key, render: Callable[[], Message]) -> Message | None:
        """Wait for the row's turn, then render its message.

        Returns:
            The message; None if the row was not rendered, because the campaign no longer sends or the wait was too
            long.

        Raises:
            RenderError: from `render`.
        """
        waiting = _Waiting(render, time.monotonic(), asyncio.get_running_loop().create_future())
        self._queues.setdefault(key, deque()).append(waiting)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        return await waiting.result

    async def _serve(self) -> None:
        while self._queues:
            key, queue = self._queues.popitem(last=False)
            try:
                is_sending = await self._is_sending(*key)
            except Exception:
                log.exception("costly_rows_handed_back")
                is_sending = False
            if not is_sending:
                self._costly.discard(key)
                _hand_back(queue)
                continue
            waiting = queue.popleft()
            if queue:
                self._queues.setdefault(key, deque()).extendleft(reversed(queue))
            if time.monotonic() - waiting.since > PATIENCE_S:
                _hand_back([waiting])
                continue
            await asyncio.sleep(REST * self._render(key, waiting))

    def _render(self, key: Key, waiting: _Waiting) -> float:
        """Render a row. Returns its CPU time in s if the row was costly, else 0."""
        started = time.thread_time()
        try:
            message = waiting.render()
        except Exception as error:  # noqa: BLE001 - the waiting task gets it
            if not waiting.result.done():
                waiting.result.set_exception(error)
        else:
            if not waiting.result.done():
                waiting.result.set_result(message)
        took = time.thread_time() - started
        if took > COSTLY_S:
            return took
        self._costly.discard(key)
        return 0


def _hand_back(rows: deque[_Waiting] | list[_Waiting]) -> None:
    for waiting in rows:
        if not waiting.result.done():
            waiting.result.set_result(None)
