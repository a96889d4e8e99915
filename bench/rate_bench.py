"""The test bench for the rate: real processes on free ports, their campaigns, and their costs."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from campaigns import keys
from tests.support.program import Program
from tests.support.stack import Stack

#: A campaign without a limit: the highest that there is.
NO_LIMIT: Final = 10_000_000
#: How often the ledger's window is read, in seconds; it keeps a bucket for 60 s.
READ_S: Final = 5.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class RateBench:
    """A stack with workers. `times`: when each campaign's emails reached the provider, in s since the epoch."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.redis: Any = stack.redis_client()
        self._times: dict[str, list[float]] = defaultdict(list)
        self._read = 0

    @classmethod
    @contextlib.contextmanager
    def open(cls, processes: int, threads: int = 10, *, latency_ms: float = 20, **settings: str) -> Iterator[RateBench]:
        """Run this number of worker processes, one command each, as `make run` starts them."""
        with (
            tempfile.TemporaryDirectory(prefix="postrider-rate-") as directory,
            Stack.open(Path(directory), web=True, **settings) as stack,
        ):
            stack.double.behave(latency_ms=latency_ms)
            bench = cls(stack)
            for _ in range(processes):
                stack.add_worker(threads=threads, wait=False)
            bench.until_workers(processes)
            yield bench
            bench.redis.close()

    def until_workers(self, processes: int) -> None:
        """Wait until this number of worker processes has sent a heartbeat to Redis."""
        deadline = time.monotonic() + 60
        while self.redis.zcard(keys.WORKERS) < processes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not {processes} workers")
            time.sleep(0.05)

    def prepare(self, campaign_id: str, rows: int, tpm: int = NO_LIMIT, domain: str = "shop.test", **more: Any) -> None:
        """Create a campaign with a parsed list."""
        self.stack.put(campaign_id, tpm=tpm, **more)
        csv = b"email\n" + b"".join(b"r%d@%s\n" % (row, domain.encode()) for row in range(1, rows + 1))
        (self.stack.upload if rows < 100_000 else self.stack.upload_in_parts)(campaign_id, csv)
        self.stack.until_status(campaign_id, "ready")

    def launch(self, campaign_id: str, rows: int, tpm: int = NO_LIMIT, **more: Any) -> float:
        """Start a campaign; return when, in seconds since the epoch."""
        self.prepare(campaign_id, rows, tpm, **more)
        self.stack.start(campaign_id)
        return time.time()

    def times(self) -> dict[str, list[float]]:
        """The arrivals at the provider by campaign, in order; reads only the new ones."""
        found = self.stack.double.arrivals(self._read)
        self._read += len(found)
        for arrival in found:
            self._times[arrival.campaign_id].append(arrival.time_s)
        return self._times

    def until_in_flight(self, campaign_id: str) -> None:
        """Wait until a campaign has sent something."""
        self.stack.until(campaign_id, lambda report: report["done"] > 0, "the first email")

    def progress(self, campaign_id: str, name: str) -> int:
        """A count of the ledger's progress."""
        return int(self.redis.hget(keys.of(campaign_id, "progress"), name) or 0)

    def commands(self) -> dict[str, int]:
        """How many times Redis has run each command, and the bytes it has received and sent."""
        stats = {name.removeprefix("cmdstat_"): item["calls"] for name, item in self.redis.info("commandstats").items()}
        network = self.redis.info("stats")
        return stats | {"bytes": network["total_net_input_bytes"] + network["total_net_output_bytes"]}


class Admissions:
    """Reads the windows of campaigns while the block runs: `buckets[campaign]`: bucket of 100 ms -> admissions in it.

    They are the limiter's counts, by Redis' clock; a bucket that is over does not change any more.
    """

    def __init__(self, bench: RateBench, campaign_ids: Sequence[str]) -> None:
        self._redis: Any = bench.redis
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="admissions", daemon=True)
        self.buckets: dict[str, dict[int, int]] = {campaign_id: {} for campaign_id in campaign_ids}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.read()

    def read(self) -> None:
        """Read what the windows hold now."""
        for campaign_id, buckets in self.buckets.items():
            found = self._redis.hgetall(keys.of(campaign_id, "window"))
            buckets.update({int(name): int(count) for name, count in found.items() if name.isdigit()})

    def _run(self) -> None:
        while not self._ended.wait(READ_S):
            self.read()


def cpu_s(programs: Sequence[Program]) -> float:
    """The processor time that the processes of these programs have taken so far, in s."""
    return sum(_process_s(pid) for program in programs for pid in program.members())


def _process_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
