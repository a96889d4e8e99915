"""kill -9 of each single role: the web process, the parser, the prefetcher, the dispatcher."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from campaigns import keys
from tests.support.chaos import audit
from tests.support.chaos.worker_pool import WorkerPool
from tests.support.stack import Stack
from tests.support.waiting import until

#: How many times longer than promised anything may take on a machine that has other things to do.
SLACK: Final = 3


def test_the_web_process_is_killed(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given a campaign under way, when the web process is killed and started again, then sending is not affected."""
    times = 5 if full else 2
    with Stack.open(tmp_path) as stack, WorkerPool(stack):
        audit.launch(stack, "c1", audit.addresses(times * 1_500), 30_000)
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", 100, 60)
            for _ in range(times):
                stack.web.kill()
                stack.web.start()
            audit.until_over(stack, "c1", 90)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        moments = sorted(arrival.time_s for arrival in found.arrivals)
        gap_s = max(later - earlier for earlier, later in pairwise(moments))
        figures(kills=times, longest_gap_s=round(gap_s, 2), missed_samples=watch.missed)
        assert gap_s < SLACK


def test_the_parser_is_killed_mid_file(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given a list being parsed, when its parser is killed at a random place, then another parser starts anew, and no
    row is missing or double.
    """
    times, rows = (10, 300_000) if full else (2, 150_000)
    csv = audit.addresses(rows)
    with Stack.open(tmp_path) as stack, WorkerPool(stack, 1) as pool:
        stack.put("c1")
        places, took_s = [], []
        for _ in range(times):
            pool.until_ready(1)
            (worker_id,) = pool.alive()
            stack.upload("c1", csv)
            at = random.uniform(0.05, 0.9) * rows
            until(lambda at=at: _parsed_rows(stack) >= at, f"{at:.0f} rows parsed")  # type: ignore[misc]
            places.append(_parsed_rows(stack))
            pool.kill(worker_id, "c1")
            killed = time.monotonic()
            report = stack.until_status("c1", "ready")
            took_s.append(time.monotonic() - killed)
            assert (report["total"], report["rejected"]) == (rows, 0)
        figures(kills=times, rows=rows, killed_at_rows=places, ready_after_s=f"longest {max(took_s):.1f}")


def _parsed_rows(stack: Stack) -> int:
    client: Any = stack.redis_client()
    with client:
        return int(client.hget(keys.of("c1", "progress"), "parsed_rows") or 0)


def test_the_prefetcher_is_killed(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given one worker, when it is killed just as it prefetches, then no row is repeated or skipped."""
    times, rows = (10, 30_000) if full else (2, 6_000)
    with Stack.open(tmp_path, RECONCILE_EVERY_S="5") as stack, WorkerPool(stack, 1) as pool:
        client: Any = stack.redis_client()

        def cursor() -> int:
            return int(client.hget(keys.of("c1", "progress"), "cursor") or 0)

        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), 60_000)
        killed, cursors = [], []
        with stack.watch("c1") as watch:
            for _ in range(times):
                before = cursor()
                until(lambda before=before: cursor() > before, "another slice")  # type: ignore[misc]
                killed.append(pool.kill_one("c1"))
                cursors.append(cursor())
                pool.until_ready(1)
            audit.until_over(stack, "c1", 200)
        client.close()
        in_flight = sum(kill.claims for kill in killed)
        found = audit.closed(stack, "c1", watch, unknown_at_most=in_flight)
        figures(
            kills=times, rows=rows, at_slices=cursors, in_flight_at_kills=in_flight, unknown=found.report["unknown"]
        )


def test_the_dispatcher_is_killed(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given several workers, when the one with the dispatcher's lease is killed, then another one takes over within 2
    s.
    """
    times = 10 if full else 2
    with Stack.open(tmp_path, RECONCILE_EVERY_S="5") as stack, WorkerPool(stack, 3) as pool:
        client: Any = stack.redis_client()
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(times * 1_500), 12_000)
        killed, leases = [], []
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", 100, 60)
            for _ in range(times):
                pool.until_ready(3)
                holder = until(lambda: client.get(keys.DISPATCHER_LEASE), "a lease")
                killed.append(pool.kill(holder.decode(), "c1"))
                until(partial(_another_holds, client, holder), "another holder of the lease")
                leases.append(time.time() - killed[-1].time_s)
            audit.until_over(stack, "c1", 200)
        client.close()
        in_flight = sum(kill.claims for kill in killed)
        found = audit.closed(stack, "c1", watch, unknown_at_most=in_flight)
        moments = sorted(arrival.time_s for arrival in found.arrivals)
        gap_s = max(later - earlier for earlier, later in pairwise(moments))
        figures(
            kills=times,
            lease_after_s=f"longest {max(leases):.2f}",
            longest_gap_between_sends_s=round(gap_s, 2),
            in_flight_at_kills=in_flight,
            unknown=found.report["unknown"],
        )
        assert max(leases) < 2 * SLACK


def _another_holds(client: Any, holder: bytes) -> bool:
    """Whether a worker other than `holder` has the lease."""
    return client.get(keys.DISPATCHER_LEASE) not in {None, holder}
