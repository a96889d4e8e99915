"""A provider in trouble: throttled, failing, away, silent, refusing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.chaos import audit
from tests.support.chaos.worker_pool import WorkerPool
from tests.support.stack import Stack
from tests.support.waiting import until

#: How many times longer than promised anything may take on a machine that has other things to do.
SLACK: Final = 3
#: How soon after an outage the campaign runs at full speed again, in s.
FULL_SPEED_S: Final = 5


@pytest.mark.parametrize(
    "trouble",
    [
        {"statuses": {"429": 0.3}},
        {"statuses": {"429": 0.3}, "retry_after_s": 1},
        {"statuses": {"500": 0.1, "502": 0.1, "503": 0.1}},
    ],
    ids=["429", "429-retry-after", "5xx"],
)
def test_a_third_of_all_requests_fail(tmp_path: Path, trouble: dict[str, Any], figures: Callable[..., None]) -> None:
    """Given a provider that throttles or fails 30 % of the requests.
    Then no row is failed or dead-lettered, no recipient is sent to twice, and the campaign completes.
    """
    rows = 1_500
    with _stack(tmp_path) as stack, WorkerPool(stack):
        stack.double.behave(latency_ms=20, **trouble)
        started = time.monotonic()
        audit.launch(stack, "c1", audit.addresses(rows))
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows // 2, 400)
            half_s = time.monotonic() - started
            stack.double.behave(statuses={})
            report = audit.until_over(stack, "c1", 200)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        figures(
            rows=rows,
            half_after_s=round(half_s, 1),
            requests=len(found.arrivals),
            retries=report["retries"],
            dead_letters=_dead_letters(stack),
            failed=report["failed"],
        )
        assert _dead_letters(stack) == 0


@pytest.mark.parametrize("away", [pytest.param("503", marks=pytest.mark.short), "refused"])
def test_the_provider_is_away(tmp_path: Path, away: str, full: bool, figures: Callable[..., None]) -> None:
    """Given a campaign at 12,000 emails per minute.
    When the provider answers 503 to everything, or refuses connections, for 2 minutes.
    Then no row is failed or dead-lettered, one probe at a time asks whether the provider is back, and soon after it is
    back, the campaign runs at its full speed.
    """
    away_s, tpm = (120.0 if full else 6.0), 12_000
    rows = int(tpm / 60 * 25) if full else 1_200
    with _stack(tmp_path, LOG_LEVEL="debug") as stack, WorkerPool(stack) as pool:
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), tpm)
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows // 4, 60)
            began = time.time()
            stack.double.behave(**({"answer": "503"} if away == "503" else {"refuse_s": away_s}))
            time.sleep(away_s)
            if away == "503":
                stack.double.behave(answer="202")
            ended = time.time()
            report = audit.until_over(stack, "c1", 200)
        # A request written into an idle connection at the moment when the provider closes it may have arrived.
        found = audit.closed(stack, "c1", watch, unknown_at_most=0 if away == "503" else 10)
        failing = [line for line in pool.logged("email_not_sent") if line["outcome"] in {"unavailable", "unreachable"}]
        moments = sorted(_epoch(line["timestamp"]) for line in failing)
        under_way_s = 2 if full else 4  # how long the admitted rows may take to fail
        probes = [moment for moment in moments if began + under_way_s < moment < ended]
        taken = sorted(arrival.time_s for arrival in found.arrivals if arrival.accepted and arrival.time_s > ended)
        full_after_s = _full_speed_after(taken, ended, tpm / 60)
        figures(
            away_s=away_s,
            failed_at_once=len(moments) - len(probes),
            probes=len(probes),
            closest_probes_s=round(min((b - a for a, b in pairwise(probes)), default=0), 2),
            full_speed_after_s=full_after_s,
            retries=report["retries"],
            dead_letters=_dead_letters(stack),
            failed=report["failed"],
        )
        assert _dead_letters(stack) == 0
        assert len(probes) <= away_s / 2 + 4, "a storm, not probes"
        assert not full or full_after_s < FULL_SPEED_S * SLACK


def test_the_provider_is_away_for_several_campaigns(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given three campaigns at 4,000 emails per minute each, each with its circuit breaker beside the provider's.
    When the provider answers 503 to everything for a minute.
    Then no row of any of them is failed or dead-lettered, and all campaigns complete.
    """
    away_s, tpm = (60.0 if full else 6.0), 4_000
    rows = int(tpm / 60 * 25)
    names = ("c1", "c2", "c3")
    with _stack(tmp_path) as stack, WorkerPool(stack):
        stack.double.behave(latency_ms=20)
        for name in names:
            audit.launch(stack, name, audit.addresses(rows), tpm)
        with ExitStack() as watching:
            watches = {name: watching.enter_context(stack.watch(name)) for name in names}
            for name in names:
                audit.until_done(stack, name, rows // 4, 60)
            stack.double.behave(answer="503")
            time.sleep(away_s)
            stack.double.behave(answer="202")
            retries = [audit.until_over(stack, name, 200)["retries"] for name in names]
        for name, watch in watches.items():
            audit.closed(stack, name, watch, unknown_at_most=0)
        dead_letters = _dead_letters(stack)
        figures(away_s=away_s, campaigns=len(names), rows=rows, retries=retries, dead_letters=dead_letters, failed=0)
        assert dead_letters == 0


def _full_speed_after(taken: list[float], ended: float, per_s: float) -> float:
    """The start of the first second that holds 90 % of the rate, in s after the end of the outage."""
    for first in taken:
        if sum(first <= moment < first + 1 for moment in taken) >= 0.9 * per_s:
            return round(first - ended, 2)
    return 999.0


@pytest.mark.short
def test_rows_with_an_unknown_outcome_are_never_sent_again(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Given a provider that accepts some messages and then resets, hangs past the timeout, or answers 504.
    Then these rows are unknown and stay so, with all others of their requests, and each has reached the provider once.
    """
    rows = 600
    kinds = {"reset": "accept-reset", "hang": "accept-hang", "gateway": "accept-504", "gone": "504"}
    special = {row: kind for kind, start in zip(kinds, (7, 11, 13, 17), strict=True) for row in range(start, rows, 60)}
    csv = "email\n" + "".join(f"{special.get(row, 'r')}.{row}@shop.test\n" for row in range(1, rows + 1))
    with _stack(tmp_path) as stack, WorkerPool(stack, 2):
        rules = [{"to": f"{kind}.*", "answers": [answer]} for kind, answer in kinds.items()]
        stack.double.behave(latency_ms=20, rules=rules)
        audit.launch(stack, "c1", csv.encode())
        with stack.watch("c1") as watch:
            audit.until_over(stack, "c1", 90)
        stack.reconcile("c1")
        found = audit.closed(stack, "c1", watch, unknown_at_most=rows)
        times = Counter(arrival.row for arrival in found.arrivals)
        without_answer = {arrival.row for arrival in found.arrivals if arrival.answer in kinds.values()}
        figures(rows=rows, unknown=found.report["unknown"], most_arrivals_of_one=max(times.values()))
        assert found.in_state("unknown") == without_answer
        assert special.keys() == without_answer or (stack.batch > 1 and special.keys() < without_answer)
        assert set(times.values()) == {1}
        # When the operator decides, then the rows get that end, and nothing is sent for them.
        stack.reconcile("c1", unknown="done")
        assert stack.status("c1")["done"] == rows
        assert len(stack.double.arrivals()) == rows


@pytest.mark.parametrize("answer", ["401", "403"])
def test_a_refused_account_pauses_the_campaign(tmp_path: Path, answer: str, figures: Callable[..., None]) -> None:
    """Given a campaign under way.
    When the provider refuses the account.
    Then the system pauses the campaign, says why, and has sent no more than what was in flight. After the key has been
    replaced, resume completes the campaign without a failed row.
    """
    rows = 3_000
    with _stack(tmp_path) as stack, WorkerPool(stack) as pool:
        stack.double.behave(latency_ms=50)
        audit.launch(stack, "c1", audit.addresses(rows), 30_000)
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", rows // 4, 60)
            stack.double.behave(answer=answer)
            report = audit.until_over(stack, "c1", 60, "paused")
            until(lambda: stack.status("c1")["in_flight"] == 0, "nothing in flight")
            refused = [arrival for arrival in stack.double.arrivals() if arrival.answer == answer]
            asked_for_s = refused[-1].time_s - refused[0].time_s
            time.sleep(1)
            assert sum(arrival.answer == answer for arrival in stack.double.arrivals()) == len(refused)
            most = stack.double.stats()["most_in_flight"]
            logged = [line for line in pool.logged("email_not_sent") if line["outcome"] == "refused"]
            stack.double.behave(answer="202")
            stack.resume("c1")
            audit.until_over(stack, "c1", 90)
        audit.closed(stack, "c1", watch, unknown_at_most=0)
        figures(
            rows=rows,
            reason=report["reason"],
            refused=len(refused),
            most_in_flight=most,
            asked_for_s=round(asked_for_s, 2),
        )
        assert report["reason"].startswith(answer)
        assert logged[0]["reason"] == report["reason"]
        assert asked_for_s < SLACK


def test_some_recipients_are_refused(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Given a provider that answers 400 or 413 for some recipients.
    Then these fail at once, with the provider's words, and the others are not affected.
    """
    rows = 2_000
    special = {row: ("bad", "big")[row % 2] for row in range(10, rows, 37)}
    csv = "email\n" + "".join(f"{special.get(row, 'r')}.{row}@shop.test\n" for row in range(1, rows + 1))
    with _stack(tmp_path) as stack, WorkerPool(stack):
        stack.double.behave(
            latency_ms=20, rules=[{"to": "bad.*", "answers": ["400"]}, {"to": "big.*", "answers": ["413"]}]
        )
        audit.launch(stack, "c1", csv.encode())
        with stack.watch("c1") as watch:
            report = audit.until_over(stack, "c1", 90)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0, failed=len(special))
        assert found.in_state("failed") == special.keys()
        assert len(found.arrivals) == rows
        assert b"the double answers 400" in stack.recipients("c1", "failed")
        figures(rows=rows, failed=report["failed"], requests=len(found.arrivals), retries=report["retries"])


def _stack(directory: Path, **more: str) -> AbstractContextManager[Stack]:
    more = {"RETRY_MIN_BACKOFF_S": "0.5", "MAX_RETRIES": "8"} | more
    return Stack.open(directory, web=True, RECONCILE_EVERY_S="5", SEND_TIMEOUT_S="3", **more)


def _dead_letters(stack: Stack) -> int:
    client: Any = stack.redis_client()
    with client:
        return int(client.zcard("dramatiq:send_email.XQ"))


def _epoch(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
