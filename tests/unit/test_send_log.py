"""What a worker logs of its sends: little at info, everything at debug, and no failure unseen."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from tests.support.waiting import until
from worker.send_log import FAILURES, SendLog


class Log:
    """What is written, and a send log that writes it."""

    def __init__(self, period_s: float = 3600.0) -> None:
        self.lines: list[dict[str, Any]] = []
        self.stopping = threading.Event()
        self.sends = SendLog(self.stopping, self._write, period_s)

    def _write(self, events: Sequence[dict[str, Any]], level: str) -> None:
        self.lines += [{**event, "level": level} for event in events]

    def at(self, level: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["level"] == level]

    def send(self, rows: int, outcome: str = "accepted", verdict: str = "done", campaign_id: str = "c1") -> None:
        self.sends.add([
            {"event": "email_sent" if outcome == "accepted" else "email_not_sent", "campaign_id": campaign_id,
             "row": row, "outcome": outcome, "verdict": verdict, "duration_ms": 10.0 + row}
            for row in range(rows)
        ])  # fmt: skip


def test_a_campaign_has_one_line_at_info_and_one_per_email_at_debug() -> None:
    # Given emails in several groups
    log = Log()
    for _ in range(10):
        log.send(100)
    # When the campaign ends
    log.sends.summarize("c1")
    # Then one line sums them up
    [line] = log.at("info")
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "emails_sent", "campaign_id": "c1", "emails": 1000, "outcomes": {"accepted": 1000}, "failures": 0,
        "failures_not_shown": 0, "mean_ms": 59.5, "longest_ms": 109.0, "level": "info",
    }  # fmt: skip
    assert len(log.at("debug")) == 1000


def test_failures_are_shown_up_to_a_bound_and_counted_beyond() -> None:
    log = Log()
    for outcome, verdict in [("rejected", "failed"), ("unknown", "unknown"), ("refused", "requeue")]:
        log.send(100, outcome, verdict)
    log.send(100, "throttled", "requeue")
    log.send(1, "rejected", "failed", campaign_id="c2")
    for campaign_id in ("c1", "c2"):
        log.sends.summarize(campaign_id)
    *shown, first, second = log.at("info")
    assert [line["campaign_id"] for line in shown] == ["c1"] * FAILURES + ["c2"]
    assert (first["failures"], first["failures_not_shown"]) == (300, 300 - FAILURES)
    assert first["outcomes"] == {"rejected": 100, "unknown": 100, "refused": 100, "throttled": 100}
    assert (second["failures"], second["failures_not_shown"]) == (1, 0)


def test_a_period_ends_on_its_own_and_the_next_begins_with_the_next_email() -> None:
    log = Log(period_s=0.01)
    for _ in range(2):
        log.lines.clear()
        log.send(5)
        log.send(5, campaign_id="c2")
        until(lambda: [line["emails"] for line in log.at("info")] == [5, 5], "the lines of the period")


def test_a_worker_that_stops_still_says_what_it_has_sent() -> None:
    # Given a period that would last an hour
    log = Log()
    log.send(5)
    # When the worker is told to stop, and sends what it has begun
    log.stopping.set()
    log.send(2)
    # Then nothing is held back
    until(lambda: sum(line["emails"] for line in log.at("info")) == 7, "the last lines")


def test_a_log_that_fails_does_not_end_the_periods() -> None:
    failures = [OSError("no space left")]
    log = Log(period_s=0.01)
    write = log._write

    def fails(events: Sequence[dict[str, Any]], level: str) -> None:
        if level == "info" and failures:
            raise failures.pop()
        write(events, level)

    log.sends = SendLog(log.stopping, fails, 0.01)
    log.send(1)
    until(lambda: not failures, "the failure")
    log.send(1)
    until(lambda: len(log.at("info")) == 1, "the next line")


def test_a_line_of_several_rows_counts_as_so_many_emails() -> None:
    """Given requests to several recipients, whose events name their rows, then the campaign's line counts emails."""
    log = Log()
    event = {"event": "email_sent", "campaign_id": "c1", "outcome": "accepted", "verdict": "done", "duration_ms": 10.0}
    failed = event | {"event": "email_not_sent", "outcome": "unknown", "verdict": "unknown", "duration_ms": 40.0}
    log.sends.add([event | {"rows": [1, 2, 3]}, failed | {"rows": [4, 5]}, event | {"row": 6}])
    log.sends.summarize("c1")
    line = log.at("info")[-1]
    assert (line["emails"], line["outcomes"]) == (6, {"accepted": 4, "unknown": 2})
    assert (line["failures"], line["failures_not_shown"], line["mean_ms"]) == (2, 0, 20.0)
