"""Point 4: waiting costs next to nothing, however many wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench.rate_measures import Finding
from bench.rate_stage import Stage, cpu_s

ROWS: Final = 1_000_000
SMALL: Final = 1_000
#: How long everything is left alone before it is measured, in s.
SETTLE_S: Final = 5.0


def idle(seconds: int, worker_counts: Sequence[int] = (2, 4, 8)) -> Iterator[Finding]:
    """With so many worker processes each time: a million rows waiting at TPM 60, then the same campaign paused."""
    for processes in worker_counts:
        with Stage.open(processes) as stage:
            stage.launch("big", ROWS, 60)
            yield from _cpu(stage, seconds, f"TPM 60, {processes} processes")
            stage.house.pause("big")
            yield from _cpu(stage, seconds, f"paused, {processes} processes")
            if processes == worker_counts[0]:
                yield from _traffic(stage, seconds)


def _cpu(stage: Stage, seconds: int, what: str) -> Iterator[Finding]:
    time.sleep(SETTLE_S)
    house = stage.house
    before = cpu_s(house.workers), cpu_s([house.redis])
    started = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - started
    workers, redis = (cpu_s(house.workers) - before[0]) / took, (cpu_s([house.redis]) - before[1]) / took
    each = workers / len(house.workers)
    measured = f"{each:.2%} each, {workers:.2%} together"
    yield Finding("4 idle", f"{what}: CPU of the workers, of one core", measured, "< 2 %", each < 0.02)
    yield Finding("4 idle", f"{what}: CPU of Redis, of one core", f"{redis:.2%}", "< 2 %", redis < 0.02)


def _traffic(stage: Stage, seconds: int) -> Iterator[Finding]:
    """What Redis is asked while the big campaign is paused, beside a small one that is paused instead."""
    big = _a_second(stage, seconds)
    stage.house.call("POST", "/campaigns/big/cancel")
    stage.launch("small", SMALL, 60)
    stage.house.pause("small")
    time.sleep(SETTLE_S)
    small = _a_second(stage, seconds)
    for name in ("commands", "bytes"):
        measured = f"{big[name]:,.0f}/s, {small[name]:,.0f}/s"
        wanted = "no more than 1.1 times"
        yield Finding(
            "4 idle", f"paused: {name} of {ROWS:,} rows, of {SMALL:,}", measured, wanted, big[name] <= 1.1 * small[name]
        )


def _a_second(stage: Stage, seconds: int) -> dict[str, float]:
    before, started = stage.commands(), time.monotonic()
    time.sleep(seconds)
    after, took = stage.commands(), time.monotonic() - started
    grown = {name: (count - before.get(name, 0)) / took for name, count in after.items()}
    size = grown.pop("bytes")
    return {"commands": sum(grown.values()), "bytes": size}
