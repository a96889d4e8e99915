"""Settles outcomes in groups: one thread a process, one round trip for all that has gathered meanwhile, one Lua call a
campaign in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

import structlog
from redis import RedisError

from campaigns.ledger import Group, Ledger, Settlement

log = structlog.get_logger(__name__)

#: Outcomes in one Lua call, at most.
GROUP: Final = 256
#: How long the first outcome of a group waits for others, in s: a call for each handful costs more than they do.
GATHER_S: Final = 0.005
#: How long to wait before asking a Redis again that did not answer, in s.
RETRY_S: Final = 0.25
#: How long a stopping worker goes on trying, in s. Rows not settled by then are unknown; they are not lost.
STOPPING_S: Final = 20.0


class NotSettled(Exception):
    """The worker stops and Redis cannot be asked: the row stays claimed, and becomes unknown."""


class Tally:
    """What has become of a run: the verdicts of its rows, one by one and then all.

    Made in the event loop. `verdicts`: by row.
    """

    __slots__ = ("campaign_id", "ended", "generation", "rows_left", "verdicts")

    def __init__(self, campaign_id: str, generation: str, rows: int) -> None:
        self.campaign_id = campaign_id
        self.generation = generation
        self.rows_left = rows
        self.verdicts: dict[int, str] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not rows:
            self.ended.set_result(None)


class Record(NamedTuple):
    """One outcome on its way: whose, what, and what will be logged of it (the settler adds the verdict)."""

    tally: Tally
    settlement: Settlement
    event: dict[str, Any]


class Settler:
    """Takes outcomes from the event loop and records them (see `settle.lua`).

    While Redis cannot be asked it holds the outcomes and tries again: their number is bounded, since nothing more is
    admitted.

    Args:
        stopping: set when the worker shuts down; from then on Redis is not waited for without end.
        completed: called with a campaign's id when this settler has seen it completed.
        log: called with the events of the outcomes that have been recorded.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker_id: str,
        loop: asyncio.AbstractEventLoop,
        stopping: threading.Event,
        *,
        completed: Callable[[str], None],
        log: Callable[[Sequence[dict[str, Any]]], None],
    ) -> None:
        self._ledger = ledger
        self._worker_id = worker_id
        self._loop = loop
        self._stopping = stopping
        self._completed = completed
        self._log = log
        self._pending: SimpleQueue[Record] = SimpleQueue()
        threading.Thread(target=self._settle_forever, name="settler", daemon=True).start()

    def settle(self, tally: Tally, settlement: Settlement, event: dict[str, Any]) -> None:
        """Have one outcome of a run recorded, with the next group. The run waits for `tally.ended` alone, which raises
        NotSettled where one of its outcomes could not be.
        """
        self._pending.put(Record(tally, settlement, event))

    def _settle_forever(self) -> None:
        while True:
            self._settle(_grouped(self._take()))

    def _take(self) -> list[Record]:
        """Wait for an outcome and a moment for more, and take all that are there by then."""
        taken = [self._pending.get()]
        time.sleep(GATHER_S)
        with contextlib.suppress(Empty):
            while True:
                taken.append(self._pending.get_nowait())
        return taken

    def _settle(self, waiting: list[list[Record]]) -> None:
        give_up_at: float | None = None
        while waiting:
            waiting, error = self._ask(waiting)
            if error is None:
                continue
            with _whatever_logging_does():
                log.error(
                    "settling_delayed",
                    campaigns=len(waiting),
                    rows=sum(map(len, waiting)),
                    error=type(error).__name__,
                    exc_info=None if isinstance(error, RedisError) else error,
                )
            if self._stopping.is_set():
                give_up_at = give_up_at or time.monotonic() + STOPPING_S
                if time.monotonic() > give_up_at:
                    self._give_up(waiting)
                    return
            time.sleep(RETRY_S)

    def _ask(self, waiting: list[list[Record]]) -> tuple[list[list[Record]], Exception | None]:
        """Have these groups recorded once; those that were not, and why the last of them was not."""
        groups = [
            Group(records[0].tally.campaign_id, records[0].tally.generation, [one.settlement for one in records])
            for records in waiting
        ]
        try:
            answers = self._ledger.settle(self._worker_id, groups)
        except Exception as error:  # noqa: BLE001 - whatever it is: without this thread no outcome would be recorded
            return waiting, error
        left: list[list[Record]] = []
        recorded: list[tuple[Record, str]] = []
        over: list[str] = []
        why = None
        for records, group, answer in zip(waiting, groups, answers, strict=True):
            if isinstance(answer, RedisError):
                left.append(records)
                why = answer
                continue
            verdicts, completed = answer
            recorded += zip(records, verdicts, strict=True)
            if completed:
                over.append(group.campaign_id)
        self._recorded(recorded)
        for campaign_id in over:
            with _whatever_logging_does():
                self._completed(campaign_id)
        return left, why

    def _recorded(self, recorded: list[tuple[Record, str]]) -> None:
        """Log, and tell the runs that have ended with these outcomes."""
        ended = []
        for (tally, settlement, event), verdict in recorded:
            event["verdict"] = tally.verdicts[settlement.row] = verdict
            tally.rows_left -= 1
            if not tally.rows_left:
                ended.append(tally)
        with _whatever_logging_does():
            self._log([record.event for record, _verdict in recorded])
        if ended:
            self._loop.call_soon_threadsafe(_end, ended)

    def _give_up(self, waiting: list[list[Record]]) -> None:
        tallies = [record.tally for records in waiting for record in records]
        self._loop.call_soon_threadsafe(_end, tallies, NotSettled())


def _whatever_logging_does() -> contextlib.suppress:
    """A line that cannot be written is no reason not to record outcomes: without this thread the worker hangs."""
    return contextlib.suppress(Exception)


def _grouped(records: list[Record]) -> list[list[Record]]:
    """Records of one list each, `GROUP` at most together."""
    lists: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        lists[record.tally.campaign_id, record.tally.generation].append(record)
    return [found[start : start + GROUP] for found in lists.values() for start in range(0, len(found), GROUP)]


def _end(tallies: list[Tally], error: Exception | None = None) -> None:
    for tally in tallies:
        if tally.ended.done():
            continue
        if error is None:
            tally.ended.set_result(None)
        else:
            tally.ended.set_exception(error)
