"""kill -9 of any process at any moment."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import pytest

from tests.support.chaos import audit
from tests.support.chaos.worker_pool import Kill, WorkerPool
from tests.support.doubles.sendgrid import Arrival
from tests.support.stack import Stack

#: How many times longer than promised anything may take on a machine that has other things to do.
SLACK: Final = 3


class ReturnTimes:
    """While the block lasts, records how long the messages of a dead process take to return to the queue, in s."""

    def __init__(self, stack: Stack) -> None:
        self._redis: Any = stack.redis_client()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lost", daemon=True)
        self._held: dict[bytes, int] = {}
        self.back_s: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)
        self._redis.close()

    def _run(self) -> None:
        silent_since: dict[bytes, float] = {}
        while not self._ended.wait(0.2):
            now = time.time()
            for broker_id, beat_ms in self._redis.zrange("dramatiq:__heartbeats__", 0, -1, withscores=True):
                if now - beat_ms / 1000 < 2:
                    silent_since.pop(broker_id, None)
                    continue
                holds = self._redis.scard(b"dramatiq:__acks__.%s.send_email" % broker_id)
                if holds:
                    silent_since[broker_id] = beat_ms / 1000
                elif broker_id in silent_since:
                    self.back_s.append(now - silent_since.pop(broker_id))
            known = set(self._redis.zrange("dramatiq:__heartbeats__", 0, -1))
            for broker_id in [gone for gone in silent_since if gone not in known]:
                self.back_s.append(now - silent_since.pop(broker_id))


@pytest.mark.parametrize(
    ("commands", "batch"), [pytest.param(2, 1, marks=pytest.mark.short), (4, 1), (2, 64), (4, 1000)]
)
def test_workers_are_killed_one_after_another(
    tmp_path: Path, commands: int, batch: int, full: bool, figures: Callable[..., None]
) -> None:
    """Given a campaign over several commands of two processes each, in requests to one or to several recipients.
    When a random worker process is killed every 1 to 2 s.
    Then no recipient is sent to twice or lost, and only rows in flight at a killed process are unknown.
    """
    kills, rows = (50, 20_000) if full else (4, 1_500)
    # Longer than all the kills can take: after each kill there are recipients left that no worker holds.
    tpm = rows * 60 // (kills * 2 + 4)
    with (
        Stack.open(tmp_path, RECONCILE_EVERY_S="2", SENDGRID_BATCH=str(batch)) as stack,
        WorkerPool(stack, commands, processes=2) as pool,
    ):
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), tpm)
        with stack.watch("c1") as watch, ReturnTimes(stack) as returns:
            audit.until_done(stack, "c1", 50, 60)
            killed = []
            for _ in range(kills):
                time.sleep(random.uniform(0.9, 1.9))
                killed.append(pool.kill_one("c1"))
            report = audit.until_over(stack, "c1", 600)
        in_flight = sum(kill.claims for kill in killed)
        found = audit.closed(stack, "c1", watch, unknown_at_most=in_flight)
        waits = _first_sends(killed, found.arrivals)
        figures(
            kills=len(killed),
            rows=rows,
            restarts=pool.restarts,
            in_flight_at_kills=in_flight,
            unknown=report["unknown"],
            sent_twice=0,
            next_send_s=f"median {sorted(waits)[len(waits) // 2]:.2f}, longest {max(waits):.2f}",
            messages_back_s=f"{len(returns.back_s)} x, longest {max(returns.back_s, default=0):.1f}",
        )
        if full:
            assert max(waits) < 2 * SLACK
            assert max(returns.back_s, default=0) < 20 * SLACK


@pytest.mark.short
def test_a_worker_killed_before_it_is_ready_ends_its_command(tmp_path: Path) -> None:
    """Given a process that dies while it starts, then its command ends within some seconds, not after Dramatiq's
    default of 30 s, so that the supervisor restarts it.
    """
    with Stack.open(tmp_path) as stack:
        worker = stack.add_worker(wait=False, module="tests.support.chaos.broken_worker", DIE_AT_BOOT="1")
        assert worker.wait(8 * SLACK) != 0
        assert "exited unexpectedly (code -9)" in worker.output()


def _first_sends(killed: list[Kill], arrivals: list[Arrival]) -> list[float]:
    """For each kill that another command survived: the time to the next send, in s."""
    times = sorted(arrival.time_s for arrival in arrivals)
    found = []
    for kill in killed:
        later = [time_s for time_s in times if time_s > kill.time_s + 0.05]
        if kill.survivors and later:
            found.append(later[0] - kill.time_s)
    return found
