"""Messages that Dramatiq itself can lose, and a worker with a wrong clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chaos import audit
from tests.support.chaos.worker_pool import WorkerPool
from tests.support.stack import Stack

BROKEN = "tests.support.chaos.broken_worker"


def test_the_retrys_enqueue_fails(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given rows that may be retried, whose retries Dramatiq loses.
    Then Reconcile finds and repairs them, and they are sent once.
    """
    rows, every_s = 500, (60 if full else 3)
    flaky = dict.fromkeys(range(20, rows, 50), "flaky")
    csv = "email\n" + "".join(f"{flaky.get(row, 'r')}.{row}@shop.test\n" for row in range(1, rows + 1))
    with (
        Stack.open(tmp_path, RECONCILE_EVERY_S=str(every_s)) as stack,
        WorkerPool(stack, 1, module=BROKEN, LOSE_RETRIES="5"),
    ):
        stack.double.behave(rules=[{"to": "flaky.*", "answers": ["500", "202"]}])
        audit.launch(stack, "c1", csv.encode())
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows - len(flaky), 60)
            lost = time.monotonic()
            audit.until_over(stack, "c1", 150)
            repaired_s = time.monotonic() - lost
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        report = stack.call("GET", "/campaigns/c1/reconcile")
        figures(
            rows=rows, retries_lost=5, reconcile_every_s=every_s, repaired_after_s=round(repaired_s, 1), report=report
        )
        assert len(found.arrivals) == rows + len(flaky)


def test_the_acknowledgement_fails(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Given processed messages that Dramatiq cannot acknowledge.
    Then the campaign completes; and when the messages come again, after that worker's end, no row is granted.
    """
    rows = 2_000
    with Stack.open(tmp_path, RECONCILE_EVERY_S="3") as stack:
        worker = stack.add_worker(module=BROKEN, LOSE_ACKS="10")
        audit.launch(stack, "c1", audit.addresses(rows), 30_000)
        with stack.watch("c1") as watch:
            audit.until_over(stack, "c1", 90)
        client: Any = stack.redis_client()
        left = int(client.hlen("dramatiq:send_email.msgs"))
        worker.kill()
        stack.add_worker()
        deadline = time.monotonic() + 40
        while client.hlen("dramatiq:send_email.msgs") and time.monotonic() < deadline:
            time.sleep(0.2)
        after = int(client.hlen("dramatiq:send_email.msgs"))
        client.close()
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        figures(rows=rows, left_unacknowledged=left, left_in_the_end=after, requests=len(found.arrivals))
        assert len(found.arrivals) == rows
        assert after == 0


@pytest.mark.parametrize("off_s", [300, -300])
def test_a_clock_is_five_minutes_off(tmp_path: Path, off_s: int, figures: Callable[..., None]) -> None:
    """Given two workers, one of whose machine's clock is 5 minutes off, and some rows that need a second try.
    Then the rate holds, no recipient is sent to twice or lost, and the campaign takes no longer than with right clocks.
    """
    rows, tpm = 2_400, 2_400
    flaky = dict.fromkeys(range(20, rows, 50), "flaky")
    csv = "email\n" + "".join(f"{flaky.get(row, 'r')}.{row}@shop.test\n" for row in range(1, rows + 1))
    with Stack.open(tmp_path, RECONCILE_EVERY_S="10") as stack:
        stack.add_worker()
        wrong = stack.add_worker(module=BROKEN, CLOCK_OFF_S=str(off_s))
        assert abs(wrong.until_logged("clock_is_off")[0]["time_s"] - time.time() - off_s) < 60
        stack.double.behave(latency_ms=20, rules=[{"to": "flaky.*", "answers": ["500", "202"]}])
        audit.launch(stack, "c1", csv.encode(), tpm)
        with stack.watch("c1") as watch:
            audit.until_over(stack, "c1", 180)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        times = sorted(arrival.time_s for arrival in found.arrivals)
        tries: dict[int, list[float]] = {}
        for arrival in found.arrivals:
            tries.setdefault(arrival.row, []).append(arrival.time_s)
        second = [moments[1] - moments[0] for moments in tries.values() if len(moments) > 1]
        most = max(sum(start <= moment < start + 60 for moment in times) for start in times[::20])
        warned = sum(len(worker.logged("campaign_reconciled")) for worker in stack.workers)
        figures(
            off_s=off_s,
            rows=rows,
            most_in_60_s=most,
            limit=tpm,
            whole_s=round(times[-1] - times[0], 1),
            longest_until_second_try_s=round(max(second), 1),
            reconciled=warned,
            report=stack.call("GET", "/campaigns/c1/reconcile"),
        )
        # A request is counted when it is admitted and seen when it arrives.
        assert most <= tpm * 1.02
        assert max(second) < 20
