"""What the log says of sent emails: one line per email at debug; at info, one line per campaign and period, and the
first few failures of each.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import logs

#: The length of a period, in seconds.
PERIOD_S: Final = 10.0
#: The most lines about single failures per campaign and period.
FAILURES: Final = 5
#: What a worker logs of an email at info: the provider or the template refused it for good, its outcome is unknown, or
#: the provider refuses the account. Whatever is tried again is only counted.
_FAILED_VERDICTS: Final = frozenset({"failed", "unknown"})
_FAILED_OUTCOMES: Final = frozenset({"refused"})

Write = Callable[[Sequence[dict[str, Any]], str], None]


class SendLog:
    """The log of one process's sends. Thread-safe.

    Args:
        stopping: set when the worker shuts down; its sends of then are logged at once.
        write: writes log events at a level.
        period_s: the length of a period, in seconds.
    """

    def __init__(self, stopping: threading.Event, write: Write = logs.write, period_s: float = PERIOD_S) -> None:
        self._stopping = stopping
        self._write = write
        self._period_s = period_s
        self._lock = threading.Lock()
        self._campaigns: dict[str, _Period] = {}
        self._waiting = False

    def add(self, events: Sequence[dict[str, Any]]) -> None:
        """Log the outcomes of one group, all of one campaign."""
        campaign_id = str(events[0].get("campaign_id", ""))
        with self._lock:
            period = self._campaigns.get(campaign_id) or _Period(campaign_id)
            self._campaigns[campaign_id] = period
            failures = period.add(events)
            begins, self._waiting = not self._waiting, True
        if begins:
            threading.Thread(target=self._end_later, name="send log", daemon=True).start()
        if failures:
            self._write([dict(event) for event in failures], "info")
        self._write(events, "debug")

    def summarize(self, campaign_id: str) -> None:
        """Log the campaign's line now, because the campaign has ended."""
        with self._lock:
            period = self._campaigns.pop(campaign_id, None)
        if period is not None:
            self._write([period.line()], "info")

    def _end_later(self) -> None:
        """End the period after its time, or when the worker shuts down: log a line of each campaign."""
        self._stopping.wait(self._period_s)
        with self._lock:
            periods, self._campaigns, self._waiting = self._campaigns, {}, False
        if periods:
            with suppress(Exception):  # a log that cannot be written ends nothing
                self._write([period.line() for period in periods.values()], "info")


class _Period:
    """The sends of one campaign since the period began."""

    def __init__(self, campaign_id: str) -> None:
        self._campaign_id = campaign_id
        self._began = time.monotonic()
        self._outcomes: Counter[str] = Counter()
        self._failures = 0
        self._shown = 0
        self._took_ms = 0.0
        self._longest_ms = 0.0

    def add(self, events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Count these; return the failures that deserve a line."""
        failures = []
        for event in events:
            emails = len(event.get("rows", (0,)))
            self._outcomes[event["outcome"]] += emails
            took_ms = event["duration_ms"]
            self._took_ms += emails * took_ms
            self._longest_ms = max(self._longest_ms, took_ms)
            if event["verdict"] in _FAILED_VERDICTS or event["outcome"] in _FAILED_OUTCOMES:
                self._failures += emails
                if self._shown < FAILURES:
                    self._shown += emails
                    failures.append(event)
        return failures

    def line(self) -> dict[str, Any]:
        """The line of this period."""
        emails = self._outcomes.total()
        return {
            "event": "emails_sent",
            "campaign_id": self._campaign_id,
            "emails": emails,
            "outcomes": dict(self._outcomes),
            "failures": self._failures,
            "failures_not_shown": self._failures - self._shown,
            "seconds": round(time.monotonic() - self._began, 1),
            "mean_ms": round(self._took_ms / emails, 1),
            "longest_ms": self._longest_ms,
        }
