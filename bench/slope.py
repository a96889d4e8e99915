"""No slope: lists of every length, and one campaign or a hundred, are sent at the same rate; and how soon the first
email leaves.

    python -m bench.slope [large]       large: 10,000,000 recipients too, which takes a quarter of an hour

A shared machine changes its speed within minutes by more than what is looked for. So each rate is also given at one
speed of the machine (`bench.speed`): times what a piece of work took during it, over what it took during the first
list. All of the processors' time is in use, so the rate is proportional to their speed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.lists import small_list
from bench.report import line, table
from bench.speed import Speed
from bench.stage import PROCESSES, Stage, median, resident_mb, until_quiet, wait_until
from tests.program import Program

THREADS: Final = 10
#: Recipients, and how often: the short ones are over in a second.
LENGTHS: Final = ((10_000, 5), (100_000, 3), (1_000_000, 1))
LARGE: Final = (10_000_000, 1)
#: The last measurement: so many campaigns of so many recipients.
CAMPAIGNS, ROWS_EACH = 100, 5_000
#: The longest that one run may take, in s, for each recipient and besides.
PATIENCE_S: Final = (0.002, 60.0)


@dataclass(frozen=True)
class Sample:
    """Emails a second from start to completed and from the first email on, what a piece of work took meanwhile (us),
    the delay of the first email (s), and memory (MB).
    """

    end_to_end: float
    steady: float
    work_us: float
    first_s: float
    worker_mb: float
    redis_mb: float


def run(stage: Stage, worker: Program, speed: Speed, campaigns: dict[str, int]) -> Sample:
    """Start all of these campaigns (id -> recipients) and wait for the end of the last one."""
    emails = sum(campaigns.values())
    stage.double.reset()
    started = time.time()
    peak_mb = redis_mb = 0.0

    def over() -> bool:
        nonlocal peak_mb, redis_mb
        peak_mb = max(peak_mb, *(resident_mb(pid) for pid in worker.members()))
        redis_mb = max(redis_mb, stage.redis_client().info("memory")["used_memory"] / 1e6)
        return stage.double.stats()["accepted"] >= emails and all(
            stage.status(campaign_id)["status"] == "completed" for campaign_id in campaigns
        )

    for campaign_id in campaigns:
        stage.start(campaign_id)
    stop = wait_until(over, emails * PATIENCE_S[0] + PATIENCE_S[1], every_s=0.05)
    first = stage.first_arrival_s()
    rates = emails / (stop - started), emails / (stop - first)
    return Sample(*rates, speed.since(started), first - started, peak_mb, redis_mb)


def main() -> None:
    """Measure all and print the table."""
    lengths = [*LENGTHS, *([LARGE] if sys.argv[1:] == ["large"] else [])]
    found: list[tuple[str, list[Sample]]] = []
    with tempfile.TemporaryDirectory() as directory, Stage.open(Path(directory)) as stage, Speed() as speed:
        worker = stage.add_worker(PROCESSES, THREADS)
        stage.prepare("warm-up", small_list(2000))
        run(stage, worker, speed, {"warm-up": 2000})
        for rows, times in lengths:
            samples = []
            for number in range(times):
                campaign_id = f"c{rows}-{number}"
                stage.prepare(campaign_id, small_list(rows))
                until_quiet()
                samples.append(run(stage, worker, speed, {campaign_id: rows}))
                line(f"  {rows:,} recipients: {samples[-1].steady:,.0f}/s, work {samples[-1].work_us:.0f} us")
            found.append((f"{rows:,} recipients", samples))
        many = {f"many-{number}": ROWS_EACH for number in range(CAMPAIGNS)}
        for campaign_id, rows in many.items():
            stage.prepare(campaign_id, small_list(rows))
        until_quiet()
        found.append((f"{CAMPAIGNS} campaigns of {ROWS_EACH:,}", [run(stage, worker, speed, many)]))

    def at_one_speed(samples: list[Sample]) -> float:
        return median(one.steady * one.work_us for one in samples)

    rows_ = [
        [title]
        + [f"{median(getattr(one, name) for one in samples):,.0f}" for name in ("end_to_end", "steady", "work_us")]
        + [f"**{at_one_speed(samples) / at_one_speed(found[0][1]):.2f}**"]
        + [f"{median(one.first_s for one in samples) * 1000:.0f}"]
        + [f"{max(getattr(one, name) for one in samples):.0f}" for name in ("worker_mb", "redis_mb")]
        for title, samples in found
    ]
    table(
        [
            "list",
            "emails/s, start to completed",
            "emails/s from the first email on",
            "a piece of work took, us",
            "rate at one speed of the machine, over the first list's",
            "first email, ms after start",
            "largest worker process, MB",
            "Redis, MB",
        ],
        rows_,
    )


if __name__ == "__main__":
    main()
