"""Point 4: ready recipients cost next to nothing, whatever their number."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench.rate_bench import RateBench, cpu_s
from bench.rate_measures import Finding

ROWS: Final = 1_000_000
SMALL: Final = 1_000
#: How long everything settles before it is measured, in seconds.
SETTLE_S: Final = 5.0


def idle(seconds: int, worker_counts: Sequence[int] = (2, 4, 8)) -> Iterator[Finding]:
    """For each number of worker processes: a campaign of a million at TPM 60, then the same campaign paused."""
    for processes in worker_counts:
        with RateBench.open(processes) as bench:
            bench.launch("big", ROWS, 60)
            yield from _cpu(bench, seconds, f"TPM 60, {processes} processes")
            bench.stack.pause("big")
            yield from _cpu(bench, seconds, f"paused, {processes} processes")
            if processes == worker_counts[0]:
                yield from _traffic(bench, seconds)


def _cpu(bench: RateBench, seconds: int, what: str) -> Iterator[Finding]:
    time.sleep(SETTLE_S)
    stack = bench.stack
    before = cpu_s(stack.workers), cpu_s([stack.redis])
    started = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - started
    workers, redis = (cpu_s(stack.workers) - before[0]) / took, (cpu_s([stack.redis]) - before[1]) / took
    each = workers / len(stack.workers)
    measured = f"{each:.2%} each, {workers:.2%} together"
    yield Finding("4 idle", f"{what}: CPU of the workers, of one core", measured, "< 2 %", each < 0.02)
    yield Finding("4 idle", f"{what}: CPU of Redis, of one core", f"{redis:.2%}", "< 2 %", redis < 0.02)


def _traffic(bench: RateBench, seconds: int) -> Iterator[Finding]:
    """The commands to Redis while the big campaign is paused, compared with those while a small one is paused
    instead.
    """
    big = _per_second(bench, seconds)
    bench.stack.call("POST", "/campaigns/big/cancel")
    bench.launch("small", SMALL, 60)
    bench.stack.pause("small")
    time.sleep(SETTLE_S)
    small = _per_second(bench, seconds)
    for name in ("commands", "bytes"):
        measured = f"{big[name]:,.0f}/s, {small[name]:,.0f}/s"
        wanted = "no more than 1.1 times"
        yield Finding(
            "4 idle", f"paused: {name} of {ROWS:,} rows, of {SMALL:,}", measured, wanted, big[name] <= 1.1 * small[name]
        )


def _per_second(bench: RateBench, seconds: int) -> dict[str, float]:
    before, started = bench.commands(), time.monotonic()
    time.sleep(seconds)
    after, took = bench.commands(), time.monotonic() - started
    grown = {name: (count - before.get(name, 0)) / took for name, count in after.items()}
    size = grown.pop("bytes")
    return {"commands": sum(grown.values()), "bytes": size}
