"""Settles outcomes in groups: one thread a process, one Lua call for all that has gathered while the last one ran."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

import structlog
from redis import RedisError

from campaigns.ledger import Ledger, Settlement

log = structlog.get_logger(__name__)

#: Outcomes in one Lua call, at most.
GROUP: Final = 256
#: How long to wait before asking a Redis again that did not answer, in s.
RETRY_S: Final = 0.25
#: How long a stopping worker goes on trying, in s. Rows not settled by then are unknown; they are not lost.
STOPPING_S: Final = 20.0


class _Pending(NamedTuple):
    campaign_id: str
    generation: str
    settlement: Settlement
    verdict: asyncio.Future[str]


class NotSettled(Exception):
    """The worker stops and Redis cannot be asked: the row stays claimed, and becomes unknown."""


class Settler:
    """Takes outcomes from the event loop, records them, and tells the verdicts (see `settle.lua`).

    While Redis cannot be asked it holds the outcomes and tries again: their number is bounded, since nothing more is
    admitted.

    Args:
        stopping: set when the worker shuts down; from then on Redis is not waited for without end.
        completed: called with a campaign's id when this settler has seen it completed.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker_id: str,
        loop: asyncio.AbstractEventLoop,
        stopping: threading.Event,
        completed: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._worker_id = worker_id
        self._loop = loop
        self._stopping = stopping
        self._completed = completed
        self._pending: SimpleQueue[_Pending] = SimpleQueue()
        threading.Thread(target=self._settle_forever, name="settler", daemon=True).start()

    async def settle(self, campaign_id: str, generation: str, settlement: Settlement) -> str:
        """Record one outcome; returns its verdict once it is recorded.

        Raises:
            NotSettled
        """
        verdict: asyncio.Future[str] = self._loop.create_future()
        self._pending.put(_Pending(campaign_id, generation, settlement, verdict))
        return await verdict

    def _settle_forever(self) -> None:
        while True:
            taken = self._take()
            lists: dict[tuple[str, str], list[_Pending]] = defaultdict(list)
            for pending in taken:
                lists[pending.campaign_id, pending.generation].append(pending)
            for (campaign_id, generation), group in lists.items():
                for start in range(0, len(group), GROUP):
                    self._settle_group(campaign_id, generation, group[start : start + GROUP])

    def _take(self) -> list[_Pending]:
        """Wait for an outcome, and take all that are there by then."""
        taken = [self._pending.get()]
        with contextlib.suppress(Empty):
            while True:
                taken.append(self._pending.get_nowait())
        return taken

    def _settle_group(self, campaign_id: str, generation: str, group: list[_Pending]) -> None:
        settlements = [pending.settlement for pending in group]
        give_up_at: float | None = None
        while True:
            try:
                verdicts, completed = self._ledger.settle(campaign_id, generation, self._worker_id, settlements)
            except Exception as error:  # of any kind: without this thread no outcome would be recorded
                log.error(
                    "settling_delayed",
                    campaign_id=campaign_id,
                    rows=len(group),
                    error=type(error).__name__,
                    exc_info=not isinstance(error, RedisError),
                )
                if self._stopping.is_set():
                    give_up_at = give_up_at or time.monotonic() + STOPPING_S
                    if time.monotonic() > give_up_at:
                        self._answer(group, None)
                        return
                time.sleep(RETRY_S)
                continue
            if completed:
                self._completed(campaign_id)
            self._answer(group, verdicts)
            return

    def _answer(self, group: list[_Pending], verdicts: list[str] | None) -> None:
        def resolve() -> None:
            for number, pending in enumerate(group):
                if pending.verdict.done():
                    continue
                if verdicts is None:
                    pending.verdict.set_exception(NotSettled())
                else:
                    pending.verdict.set_result(verdicts[number])

        self._loop.call_soon_threadsafe(resolve)
