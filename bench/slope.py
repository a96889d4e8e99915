"""Checks that the speed depends neither on the list's length nor on the number of campaigns, and measures the delay of
the first email.

    python -m bench.slope [large]       large: also 10,000,000 recipients, which takes a quarter of an hour

The speed of a shared machine changes within minutes by more than the difference in question. Each measurement therefore
runs between two of a reference, a list of 100,000, and is compared with their mean.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bench.lists import small_list
from bench.report import line, table
from bench.stack import PROCESSES, BenchStack, median, resident_mb, until_quiet, wait_until
from tests.support.program import Program

THREADS: Final = 10
#: The number of recipients of the reference.
REFERENCE: Final = 100_000
#: The number of campaigns, the recipients of each, and the repetitions.
CASES: Final = ((1, 10_000, 5), (1, 1_000_000, 2), (100, 5_000, 3))
LARGE: Final = (1, 10_000_000, 1)
#: The longest that one run may take, in seconds: per recipient, and in addition.
PATIENCE_S: Final = (0.002, 60.0)


@dataclass(frozen=True)
class Sample:
    """Emails per second from start to completed, their ratio to the reference, the delay of the first email (s), and
    memory (MB).
    """

    rate: float
    ratio: float
    first_s: float
    worker_mb: float
    redis_mb: float


def run(stack: BenchStack, worker: Program, campaigns: dict[str, int]) -> Sample:
    """Start all of these campaigns (id -> recipients) and wait for the end of the last one."""
    emails = sum(campaigns.values())
    stack.double.reset()
    started = time.time()
    peak_mb = redis_mb = 0.0

    def over() -> bool:
        nonlocal peak_mb, redis_mb
        peak_mb = max(peak_mb, *(resident_mb(pid) for pid in worker.members()))
        redis_mb = max(redis_mb, stack.redis_client().info("memory")["used_memory"] / 1e6)
        return stack.double.stats()["accepted"] >= emails and all(
            stack.status(campaign_id)["status"] == "completed" for campaign_id in campaigns
        )

    for campaign_id in campaigns:
        stack.start(campaign_id)
    wait_until(over, emails * PATIENCE_S[0] + PATIENCE_S[1], every_s=0.05)
    stats = stack.double.stats()
    if stats["accepted"] != emails or stats["duplicates"]:
        raise AssertionError(f"not every recipient was sent exactly one email: {stats}")
    first = stack.first_arrival_s()
    return Sample(emails / _took_s(stack, campaigns), 1.0, first - started, peak_mb, redis_mb)


def _took_s(stack: BenchStack, campaigns: Iterable[str]) -> float:
    """From the first start to the last end, by the ledger: the polls of this process are too rare to time a list of
    10,000.
    """
    reports = [stack.status(campaign_id) for campaign_id in campaigns]
    moments = [[datetime.fromisoformat(report[name]) for report in reports] for name in ("started_at", "finished_at")]
    return (max(moments[1]) - min(moments[0])).total_seconds()


class Track:
    """Runs one case after another on one stack with the same workers."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._worker = stack.add_worker(PROCESSES, THREADS)
        self._serial = 0
        self.case(1, 2_000)

    def case(self, campaigns: int, rows: int) -> Sample:
        """Make this many new campaigns with this many recipients each."""
        self._serial += 1
        lists = {f"run-{self._serial}-{number}": rows for number in range(campaigns)}
        for campaign_id in lists:
            self._stack.prepare(campaign_id, small_list(rows))
        until_quiet()
        return run(self._stack, self._worker, lists)


def main() -> None:
    """Measure all and print the table."""
    found: list[tuple[str, list[Sample]]] = []
    with tempfile.TemporaryDirectory() as directory, BenchStack.open(Path(directory)) as stack:
        track = Track(stack)
        references = [track.case(1, REFERENCE)]
        for campaigns, rows, times in (*CASES, *([LARGE] if sys.argv[1:] == ["large"] else [])):
            title = f"{rows:,} recipients" if campaigns == 1 else f"{campaigns} campaigns of {rows:,}"
            samples = []
            for _ in range(times):
                sample = track.case(campaigns, rows)
                references.append(track.case(1, REFERENCE))
                beside = statistics.fmean(reference.rate for reference in references[-2:])
                samples.append(dataclasses.replace(sample, ratio=sample.rate / beside))
                line(f"  {title}: {sample.rate:,.0f}/s, the reference {beside:,.0f}/s: {samples[-1].ratio:.2f}")
            found.append((title, samples))
    found.insert(0, (f"{REFERENCE:,} recipients (the reference)", references))
    table(
        [
            "list",
            "emails/s, start to completed",
            "over the reference beside it",
            "first email, ms after start (longest)",
            "largest worker process, MB",
            "Redis, MB",
        ],
        [_row(title, samples) for title, samples in found],
    )


def _row(title: str, samples: list[Sample]) -> list[str]:
    first_ms = [sample.first_s * 1000 for sample in samples]
    return [
        title,
        f"{median(sample.rate for sample in samples):,.0f}",
        f"**{median(sample.ratio for sample in samples):.2f}**",
        f"{median(first_ms):.0f} ({max(first_ms):.0f})",
        f"{max(sample.worker_mb for sample in samples):.0f}",
        f"{max(sample.redis_mb for sample in samples):.0f}",
    ]


if __name__ == "__main__":
    main()
