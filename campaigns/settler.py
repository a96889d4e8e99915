"""The settler records outcomes in groups, in one thread per process.

Each round trip carries all outcomes that have arrived meanwhile, with one Lua call per campaign.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from redis import RedisError

from campaigns.account_table import DEFAULT
from campaigns.db import refusals, retrying
from campaigns.ledger import Group, Ledger, Settlement

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: The most outcomes per Lua call.
GROUP: Final = 256
#: How long the first outcome of a group waits for others, in s. One call per few outcomes would cost more than they do.
GATHER_S: Final = 0.005
#: The longest pause before the settler retries a group that Redis refuses alone, in s. Each pause doubles.
REFUSED_PAUSE_MAX_S: Final = 8.0
#: Time after which the settler stops retrying such a group, in s. Its rows then become unknown.
REFUSED_S: Final = 45.0
#: The verdict of an outcome in a group that Redis refuses alone.
WAITS_FOR_REDIS: Final = "waits for Redis"
#: How long a stopping worker keeps trying, in s. Rows that are not settled by then become unknown; they are not lost.
STOPPING_S: Final = 20.0


class NotSettled(Exception):
    """The worker is stopping and Redis is unavailable: the row stays claimed, and becomes unknown."""


class BatchProgress:
    """The progress of a batch: the verdicts of its rows so far. `ended` is done once all rows have one.

    Create it in the event loop. `account`: through which its rows go. `verdicts`: by row.
    """

    __slots__ = ("account", "campaign_id", "ended", "list_version", "rows_left", "verdicts")

    def __init__(self, campaign_id: str, list_version: str, rows: int, account: str = DEFAULT) -> None:
        self.account = account
        self.campaign_id = campaign_id
        self.list_version = list_version
        self.rows_left = rows
        self.verdicts: dict[int, str] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not rows:
            self.ended.set_result(None)


class Record(NamedTuple):
    """The outcomes of one request to record: its batch, the settlement of each recipient, and its log event.

    The settler adds the verdict to the event, and the `row`; the `rows`, if there are several.
    """

    progress: BatchProgress
    settlements: Sequence[Settlement]
    event: dict[str, Any]


class _PendingGroup:
    """Outcomes of one list and account that are recorded in one step.

    `give_up_at`: set once Redis has refused this group alone. `due`: the time of its next try. Both by the monotonic
    clock.
    """

    __slots__ = ("due", "give_up_at", "group", "pauses", "records")

    def __init__(self, records: list[Record]) -> None:
        progress = records[0].progress
        self.records = records
        outcomes = [settlement for record in records for settlement in record.settlements]
        self.group = Group(progress.campaign_id, progress.list_version, outcomes, progress.account)
        self.give_up_at: float | None = None
        self.due = 0.0
        self.pauses = retrying.growing_pauses(2 * retrying.PAUSE_S, REFUSED_PAUSE_MAX_S)

    @property
    def described(self) -> dict[str, Any]:
        """The fields that identify this group in log lines."""
        return {"campaign_id": self.group.campaign_id, "rows": len(self.group.outcomes)}


class Settler:
    """Takes outcomes from the event loop and records them (see `settle.lua`).

    While Redis is unavailable or refuses all clients, the settler keeps the outcomes and retries. Their number is
    bounded, because admission grants no more rows meanwhile. If Redis refuses the outcomes of one campaign alone, those
    of other campaigns do not wait, and the settler gives up on the refused ones after `REFUSED_S`.

    Args:
        stopping: set when the worker shuts down; from then on the settler waits for Redis for a limited time.
        completed: called with a campaign's id when an outcome has completed the campaign.
        log: called with the log events of the outcomes that have been recorded.
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

    def settle(self, progress: BatchProgress, settlements: Sequence[Settlement], event: dict[str, Any]) -> None:
        """Enqueue outcomes of a batch, those of one request, for the next group.

        The batch awaits `progress.ended`, which raises NotSettled if one of its outcomes could not be recorded.
        """
        self._inbox.put(Record(progress, settlements, event))

    def _settle_forever(self) -> None:
        while True:
            self._settle([*_grouped(self._take()), *self._due()])

    def _take(self) -> list[Record]:
        """Wait for an outcome, then for `GATHER_S`, and take all that have arrived. Returns none if a refused group is
        due first.
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
        """Take the refused groups whose next try is due."""
        now = time.monotonic()
        due = [pending for pending in self._refused if pending.due <= now]
        self._refused = [pending for pending in self._refused if pending.due > now]
        return due

    def _settle(self, waiting: list[_PendingGroup]) -> None:
        """Record these groups.

        It cannot use `retrying.until_answered`: each call carries only the groups that the previous call left, and a
        stopping worker keeps trying for `STOPPING_S`.
        """
        give_up_at: float | None = None
        while waiting:
            waiting, error = self._ask(waiting)
            if error is None:
                continue
            with _despite_logging():
                log.error(
                    "settling_delayed",
                    campaigns=len(waiting),
                    rows=sum(len(pending.group.outcomes) for pending in waiting),
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
        """Try once to record these groups.

        Returns:
            The groups that were not recorded because Redis is unavailable or refuses all clients, and the last error.
            Groups that Redis refuses alone are not among them; they wait in `_refused`.
        """
        try:
            answers = self._ledger.settle(self._worker_id, [pending.group for pending in waiting])
        except Exception as error:  # noqa: BLE001 - any error: without this thread no outcome would be recorded
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
            with _despite_logging():
                self._completed(campaign_id)
        for pending, refusal in refused:
            self._hold(pending, refusal)
        return left, why

    def _hold(self, pending: _PendingGroup, error: RedisError) -> None:
        """Keep a group that Redis refuses alone for a later try, or give it up.

        The settler pauses its campaign with the reason, so that no more outcomes gather here. It also ends the batches,
        so that they block no thread. If a row needs more, such as another attempt, Reconcile takes care of it.
        """
        now, reason = time.monotonic(), refusals.of_one_campaign(error)
        if pending.give_up_at is None:
            pending.give_up_at = now + REFUSED_S
            with _despite_logging():
                log.error("settling_refused", **pending.described, reason=reason)
            self._attempt(lambda: self._ledger.halt(pending.group.campaign_id, pending.group.list_version, reason))
            self._end(pending, [WAITS_FOR_REDIS] * len(pending.group.outcomes))
        if now >= pending.give_up_at or self._stopping.is_set():
            found = self._attempt(lambda: self._ledger.give_up(self._worker_id, pending.group, reason))
            if found is not None:
                with _despite_logging():
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
            with _despite_logging():
                log.error("settling_delayed", error=type(error).__name__, reason=refusals.words(error))
            return None

    def _recorded(self, pending: _PendingGroup, verdicts: Sequence[str]) -> None:
        """Log the outcomes, and end the batches that they complete."""
        with _despite_logging():
            self._log([event for record, own in _by_record(pending, verdicts) for event in _events(record, own)])
        if pending.give_up_at is None:
            self._end(pending, verdicts)

    def _end(self, pending: _PendingGroup, verdicts: Sequence[str]) -> None:
        ended = []
        for (progress, settlements, _event), own in _by_record(pending, verdicts):
            progress.verdicts.update(zip((settlement.row for settlement in settlements), own, strict=True))
            progress.rows_left -= len(settlements)
            if not progress.rows_left:
                ended.append(progress)
        if ended:
            self._loop.call_soon_threadsafe(_end, ended)

    def _give_up(self, waiting: list[_PendingGroup]) -> None:
        batches = [record.progress for pending in waiting for record in pending.records]
        self._loop.call_soon_threadsafe(_end, batches, NotSettled())


def _despite_logging() -> contextlib.suppress:
    """Ignore errors of logging. They must not end this thread, because the worker hangs without it."""
    return contextlib.suppress(Exception)


def _grouped(records: list[Record]) -> list[_PendingGroup]:
    """Split the records into groups of at most `GROUP`, each of one list and account."""
    lists: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        progress = record.progress
        lists[progress.campaign_id, progress.list_version, progress.account].append(record)
    return [_PendingGroup(group) for found in lists.values() for group in _in_groups(found)]


def _in_groups(records: list[Record]) -> Iterator[list[Record]]:
    """Groups of at most `GROUP` outcomes; a request with more of them is a group of its own."""
    group: list[Record] = []
    outcomes = 0
    for record in records:
        if group and outcomes + len(record.settlements) > GROUP:
            yield group
            group, outcomes = [], 0
        group.append(record)
        outcomes += len(record.settlements)
    yield group


def _by_record(pending: _PendingGroup, verdicts: Sequence[str]) -> Iterator[tuple[Record, Sequence[str]]]:
    """The records of a group, each with the verdicts of its outcomes."""
    start = 0
    for record in pending.records:
        end = start + len(record.settlements)
        yield record, verdicts[start:end]
        start = end


def _events(record: Record, verdicts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The log events of a request: one if all of its rows have the same verdict, and otherwise one per row."""
    rows = [settlement.row for settlement in record.settlements]
    if len(rows) > 1 and len(set(verdicts)) == 1:
        yield {**record.event, "rows": rows, "verdict": verdicts[0]}
        return
    for row, verdict in zip(rows, verdicts, strict=True):
        yield {**record.event, "row": row, "verdict": verdict}


def _end(batches: list[BatchProgress], error: Exception | None = None) -> None:
    for progress in batches:
        if progress.ended.done():
            continue
        if error is None:
            progress.ended.set_result(None)
        else:
            progress.ended.set_exception(error)
