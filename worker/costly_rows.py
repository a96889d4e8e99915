"""Costly rows: messages that take long to render take turns, so that they leave the event loop to the others.

Ordinary messages are rendered where they are sent and never come here.
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

#: A row that takes more CPU time to render is costly, in s.
COSTLY_S: Final = 0.005
#: How many times as long as a costly row took no other one is rendered in this process: they get a fifth of its time.
REST: Final = 4
#: How long a row waits for its turn before it is handed back, in s: well below the age at which its claim is given up.
PATIENCE_S: Final = 10.0

#: A campaign and its list.
Key = tuple[str, str]


class _Waiting(NamedTuple):
    render: Callable[[], Message]
    since: float
    result: asyncio.Future[Message | None]


class CostlyRows:
    """Renders the rows of campaigns whose rows are costly, one at a time, the campaigns in turn.

    Args:
        is_sending: asks whether a campaign still sends this list; its rows are handed back at once where it does not.
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
        """A row's message at once; where it took long, later rows of its campaign may have to wait for their turns.

        Raises:
            RenderError: as `render` does.
        """
        # The thread's CPU time counts: on a busy machine any row may wait for a processor while it is rendered. But to
        # ask for that takes a microsecond, so it is asked for once a row has taken long by the quick clock.
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
        """A row's message when its turn comes; None where it was not tried: the campaign does not send any more, or it
        would wait for too long.

        Raises:
            RenderError: as `render` does.
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
        """Render a row; returns the CPU time that it took, in s."""
        started = time.thread_time()
        try:
            message = waiting.render()
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
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
