"""Redis killed, frozen, away, full, read-only: nothing is sent without a grant, nothing is lost, and sending
resumes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import redis

from tests.support.chaos import audit
from tests.support.chaos.worker_pool import WorkerPool
from tests.support.doubles.loading_redis import loading_redis
from tests.support.stack import Stack
from tests.support.waiting import until

#: How long after Redis has gone the admitted rows may still reach the provider, in s.
ADMITTED_S: Final = 1.0
#: How many times longer than promised anything may take on a machine that has other things to do.
SLACK: Final = 3


@pytest.mark.short
def test_redis_is_killed_and_started_again(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given a campaign under way.
    When Redis is killed (-9) and started again on its append-only file, three times.
    Then nothing is sent meanwhile, no recipient is sent to twice or lost, and no row is unknown.
    """
    times, rows, tpm = (3, 20_000, 20_000) if full else (1, 2_500, 20_000)
    with Stack.open(tmp_path, RECONCILE_EVERY_S="5", SEND_TIMEOUT_S="5") as stack, WorkerPool(stack):
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), tpm)
        gaps, resumed = [], []
        with stack.watch("c1") as watch:
            for turn in range(1, times + 1):
                audit.until_done(stack, "c1", turn * rows // (times + 2), 120)
                stack.redis.kill()
                since = time.time() if full else _until_nothing_arrives(stack)
                time.sleep(3)
                gaps.append((since + ADMITTED_S, time.time()))
                resumed.append(time.time())
                stack.redis.start()
            audit.until_over(stack, "c1", 300)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        figures(
            kills=times,
            rows=rows,
            unknown=found.report["unknown"],
            sent_while_away=_between(found, gaps),
            next_send_s=_waits(found, resumed),
        )
        assert _between(found, gaps) == 0


@pytest.mark.parametrize("away", ["frozen", "refused", "LOADING"])
def test_redis_does_not_respond_for_a_while(
    tmp_path: Path, away: str, full: bool, figures: Callable[..., None]
) -> None:
    """Given a campaign under way.
    When Redis does not respond, or its port refuses, or it answers LOADING to everything, for 30 s.
    Then nothing is sent meanwhile, and sending resumes without help.
    """
    rows, tpm, away_s = 6_000, 20_000, (30.0 if full else 15.0)
    with Stack.open(tmp_path, RECONCILE_EVERY_S="5", SEND_TIMEOUT_S="5") as stack, WorkerPool(stack):
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), tpm)
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows // 4, 60)
            began = time.time()
            stack.redis.freeze() if away == "frozen" else stack.redis.kill()
            with (
                loading_redis(int(stack.redis_url.split(":")[2].split("/")[0]))
                if away == "LOADING"
                else contextlib.nullcontext()
            ):
                time.sleep(away_s)
            ended = time.time()
            back = time.time()
            stack.redis.thaw() if away == "frozen" else stack.redis.start()
            audit.until_over(stack, "c1", 300)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        gap = [(began + ADMITTED_S, ended)]
        figures(
            away_s=away_s,
            rows=rows,
            unknown=found.report["unknown"],
            sent_while_away=_between(found, gap),
            next_send_s=_waits(found, [back]),
            over_after_s=round(time.time() - back, 1),
        )
        assert _between(found, gap) == 0


@pytest.mark.parametrize("away", ["frozen", "refused"])
def test_redis_is_away_while_retries_wait(tmp_path: Path, away: str, figures: Callable[..., None]) -> None:
    """Given one worker that holds retries which are not due yet.
    When Redis is away for longer than the worker waits for it.
    Then the retries are made soon after Redis is back.
    """
    rows = 400
    flaky = dict.fromkeys(range(10, rows, 10), "flaky")
    csv = "email\n" + "".join(f"{flaky.get(row, 'r')}.{row}@shop.test\n" for row in range(1, rows + 1))
    with Stack.open(tmp_path, RETRY_MIN_BACKOFF_S="8", SEND_TIMEOUT_S="5") as stack, WorkerPool(stack, 1):
        # Too few to count as trouble of the provider.
        stack.double.behave(rules=[{"to": "flaky.*0@*", "answers": ["500", "202"]}])
        audit.launch(stack, "c1", csv.encode(), 6_000)
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows - len(flaky), 60)
            stack.redis.freeze() if away == "frozen" else stack.redis.kill()
            time.sleep(35 if away == "frozen" else 10)
            back = time.monotonic()
            stack.redis.thaw() if away == "frozen" else stack.redis.start()
            audit.until_over(stack, "c1", 200)
            over_s = time.monotonic() - back
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        figures(rows=rows, retries=found.report["retries"], over_after_s=round(over_s, 1))
        assert over_s < 10 * SLACK


@pytest.mark.parametrize("trouble", ["OOM", "READONLY"])
def test_redis_refuses_to_write(tmp_path: Path, trouble: str, figures: Callable[..., None]) -> None:
    """Given a campaign under way.
    When Redis answers OOM (full, noeviction) or READONLY (a replica) to every write, for 15 s.
    Then nothing more is admitted meanwhile, and sending resumes without help.
    """
    rows, tpm, away_s = 6_000, 20_000, 15.0
    with Stack.open(tmp_path, RECONCILE_EVERY_S="5", SEND_TIMEOUT_S="5") as stack, WorkerPool(stack):
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), tpm)
        client = stack.redis_client()
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows // 4, 60)
            _break(client, trouble)
            began = time.time()
            time.sleep(away_s)
            ended = time.time()
            _mend(client, trouble)
            back = time.time()
            audit.until_over(stack, "c1", 300)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        gap = [(began + ADMITTED_S, ended)]
        figures(
            away_s=away_s,
            rows=rows,
            unknown=found.report["unknown"],
            sent_while_away=_between(found, gap),
            next_send_s=_waits(found, [back]),
            over_after_s=round(time.time() - back, 1),
        )
        client.close()
        assert _between(found, gap) == 0


def _until_nothing_arrives(stack: Stack) -> float:
    """Wait until the admitted rows have reached the provider, however slow the machine is; return the time then."""

    def nothing_arrived() -> bool:
        return max(arrival.time_s for arrival in stack.double.arrivals()) < time.time() - ADMITTED_S

    until(nothing_arrived, "nothing arrives")
    return time.time()


def _break(client: redis.Redis, trouble: str) -> None:
    if trouble == "OOM":
        client.config_set("maxmemory", "1mb")
    else:
        # Port 1 has no server: a replica that waits for its master keeps its data, and answers READONLY.
        client.replicaof("127.0.0.1", "1")


def _mend(client: redis.Redis, trouble: str) -> None:
    if trouble == "OOM":
        client.config_set("maxmemory", "0")
    else:
        client.replicaof("NO", "ONE")


def _between(found: audit.Audit, spans: list[tuple[float, float]]) -> int:
    """How many requests reached the provider within these spans of time."""
    return sum(start < arrival.time_s < end for arrival in found.arrivals for start, end in spans)


def _waits(found: audit.Audit, moments: list[float]) -> str:
    """How long after each moment the next request came, in s."""
    times = [arrival.time_s for arrival in found.arrivals]
    later = [min((time_s for time_s in times if time_s > moment), default=0) - moment for moment in moments]
    return ", ".join(f"{wait_s:.1f}" for wait_s in later)
