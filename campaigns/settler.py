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
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from redis import RedisError

from campaigns import refusals, retrying
from campaigns.ledger import Group, Ledger, Settlement

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Outcomes in one Lua call, at most.
GROUP: Final = 256
#: How long the first outcome of a group waits for others, in s: a call for each handful costs more than they do.
GATHER_S: Final = 0.005
#: How long a group that Redis refuses alone waits before it is tried again, in s, at most: each pause doubles.
REFUSED_PAUSE_MAX_S: Final = 8.0
#: How long such a group is tried again, in s; then its rows become unknown.
REFUSED_S: Final = 45.0
#: The verdict of an outcome that waits for a Redis that refuses its campaign alone.
HELD: Final = "held"
#: How long a stopping worker goes on trying, in s. Rows not settled by then are unknown; they are not lost.
STOPPING_S: Final = 20.0


class NotSettled(Exception):
    """The worker stops and Redis cannot be asked: the row stays claimed, and becomes unknown."""


class BatchProgress:
    """What has become of a batch: the verdicts of its rows, one by one and then all.

    Made in the event loop. `verdicts`: by row.
    """

    __slots__ = ("campaign_id", "ended", "list_version", "rows_left", "verdicts")

    def __init__(self, campaign_id: str, list_version: str, rows: int) -> None:
        self.campaign_id = campaign_id
        self.list_version = list_version
        self.rows_left = rows
        self.verdicts: dict[int, str] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not rows:
            self.ended.set_result(None)


class Record(NamedTuple):
    """One outcome on its way: whose, what, and what will be logged of it (the settler adds the verdict)."""

    progress: BatchProgress
    settlement: Settlement
    event: dict[str, Any]


class _PendingGroup:
    """Outcomes of one list that are recorded in one step.

    `give_up_at`: set once Redis has refused this group alone; `due`: when it is tried again. By the monotonic clock.
    """

    __slots__ = ("due", "give_up_at", "group", "pauses", "records")

    def __init__(self, records: list[Record]) -> None:
        progress = records[0].progress
        self.records = records
        self.group = Group(progress.campaign_id, progress.list_version, [record.settlement for record in records])
        self.give_up_at: float | None = None
        self.due = 0.0
        self.pauses = retrying.growing_pauses(2 * retrying.PAUSE_S, REFUSED_PAUSE_MAX_S)

    @property
    def described(self) -> dict[str, Any]:
        """For log lines."""
        return {"campaign_id": self.group.campaign_id, "rows": len(self.records)}


class Settler:
    """Takes outcomes from the event loop and records them (see `settle.lua`).

    While Redis cannot be asked, or refuses everybody, it holds the outcomes and tries again: their number is bounded,
    since nothing more is admitted. What it refuses of one campaign alone holds up no other, and is given up in the end.

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
        self._inbox: SimpleQueue[Record] = SimpleQueue()
        self._refused: list[_PendingGroup] = []
        threading.Thread(target=self._settle_forever, name="settler", daemon=True).start()

    def settle(self, progress: BatchProgress, settlement: Settlement, event: dict[str, Any]) -> None:
        """Have one outcome of a batch recorded, with the next group. The batch waits for `progress.ended`, which raises
        NotSettled if one of its outcomes could not be recorded.
        """
        self._inbox.put(Record(progress, settlement, event))

    def _settle_forever(self) -> None:
        while True:
            self._settle([*_grouped(self._take()), *self._due()])

    def _take(self) -> list[Record]:
        """Wait for an outcome and a moment for more, and take all that are there by then; none where a refused group is
        due before that.
        """
        due = min((pending.due for pending in self._refused), default=None)
        try:
            taken = [self._inbox.get(timeout=None if due is None else max(0.0, due - time.monotonic()))]
        except Empty:
            return []
        time.sleep(GATHER_S)
        with contextlib.suppress(Empty):
            while True:
                taken.append(self._inbox.get_nowait())
        return taken

    def _due(self) -> list[_PendingGroup]:
        """The refused groups that are to be tried again now."""
        now = time.monotonic()
        due = [pending for pending in self._refused if pending.due <= now]
        self._refused = [pending for pending in self._refused if pending.due > now]
        return due

    def _settle(self, waiting: list[_PendingGroup]) -> None:
        """Record these groups. Not `retrying.until_answered`: each call carries only the groups that the one before
        left, and a stopping worker goes on for `STOPPING_S`.
        """
        give_up_at: float | None = None
        while waiting:
            waiting, error = self._ask(waiting)
            if error is None:
                continue
            with _whatever_logging_does():
                log.error(
                    "settling_delayed",
                    campaigns=len(waiting),
                    rows=sum(len(pending.records) for pending in waiting),
                    error=type(error).__name__,
                    reason=refusals.words(error),
                    exc_info=None if isinstance(error, RedisError) else error,
                )
            if self._stopping.is_set():
                give_up_at = give_up_at or time.monotonic() + STOPPING_S
                if time.monotonic() > give_up_at:
                    self._give_up(waiting)
                    return
            time.sleep(retrying.PAUSE_S)

    def _ask(self, waiting: list[_PendingGroup]) -> tuple[list[_PendingGroup], Exception | None]:
        """Have these groups recorded once; those that were not, as Redis refuses everybody, and why the last was not.
        Those that it refuses alone wait by themselves.
        """
        try:
            answers = self._ledger.settle(self._worker_id, [pending.group for pending in waiting])
        except Exception as error:  # noqa: BLE001 - whatever it is: without this thread no outcome would be recorded
            return waiting, error
        left: list[_PendingGroup] = []
        over: list[str] = []
        refused: list[tuple[_PendingGroup, RedisError]] = []
        why = None
        for pending, answer in zip(waiting, answers, strict=True):
            if not isinstance(answer, RedisError):
                verdicts, completed = answer
                self._recorded(pending, verdicts)
                if completed:
                    over.append(pending.group.campaign_id)
            elif refusals.is_of_one_campaign(answer):
                refused.append((pending, answer))
            else:
                left.append(pending)
                why = answer
        for campaign_id in over:
            with _whatever_logging_does():
                self._completed(campaign_id)
        for pending, refusal in refused:
            self._hold(pending, refusal)
        return left, why

    def _hold(self, pending: _PendingGroup, error: RedisError) -> None:
        """Have a group that Redis refuses alone wait, ever longer, or give it up.

        Its campaign is paused with the reason, so that what waits here does not grow, and its batches end, so that they
        hold no thread: what a row may need then, such as another attempt, Reconcile sees to.
        """
        now, reason = time.monotonic(), refusals.of_one_campaign(error)
        if pending.give_up_at is None:
            pending.give_up_at = now + REFUSED_S
            with _whatever_logging_does():
                log.error("settling_refused", **pending.described, reason=reason)
            self._attempt(lambda: self._ledger.halt(pending.group.campaign_id, pending.group.list_version, reason))
            self._end(pending, [HELD] * len(pending.records))
        if now >= pending.give_up_at or self._stopping.is_set():
            found = self._attempt(lambda: self._ledger.give_up(self._worker_id, pending.group, reason))
            if found is not None:
                with _whatever_logging_does():
                    log.error(
                        "settling_given_up", **pending.described, unknown=found[0], claimed=found[1], reason=reason
                    )
                return
        pending.due = now + next(pending.pauses)
        self._refused.append(pending)

    @staticmethod
    def _attempt(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - as in `_ask`
            with _whatever_logging_does():
                log.error("settling_delayed", error=type(error).__name__, reason=refusals.words(error))
            return None

    def _recorded(self, pending: _PendingGroup, verdicts: Sequence[str]) -> None:
        """Log, and complete the batches that have ended with these outcomes."""
        for record, verdict in zip(pending.records, verdicts, strict=True):
            record.event["verdict"] = verdict
        with _whatever_logging_does():
            self._log([record.event for record in pending.records])
        if pending.give_up_at is None:
            self._end(pending, verdicts)

    def _end(self, pending: _PendingGroup, verdicts: Sequence[str]) -> None:
        ended = []
        for (progress, settlement, _event), verdict in zip(pending.records, verdicts, strict=True):
            progress.verdicts[settlement.row] = verdict
            progress.rows_left -= 1
            if not progress.rows_left:
                ended.append(progress)
        if ended:
            self._loop.call_soon_threadsafe(_end, ended)

    def _give_up(self, waiting: list[_PendingGroup]) -> None:
        batches = [record.progress for pending in waiting for record in pending.records]
        self._loop.call_soon_threadsafe(_end, batches, NotSettled())


def _whatever_logging_does() -> contextlib.suppress:
    """A line that cannot be written is no reason not to record outcomes: without this thread the worker hangs."""
    return contextlib.suppress(Exception)


def _grouped(records: list[Record]) -> list[_PendingGroup]:
    """Records of one list each, `GROUP` at most together."""
    lists: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        lists[record.progress.campaign_id, record.progress.list_version].append(record)
    return [
        _PendingGroup(found[start : start + GROUP]) for found in lists.values() for start in range(0, len(found), GROUP)
    ]


def _end(batches: list[BatchProgress], error: Exception | None = None) -> None:
    for progress in batches:
        if progress.ended.done():
            continue
        if error is None:
            progress.ended.set_result(None)
        else:
            progress.ended.set_exception(error)
