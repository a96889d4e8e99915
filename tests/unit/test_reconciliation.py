"""Reconcile: finds what is lost, dead, drifted or undecided, and repairs it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from campaigns import keys
from campaigns.errors import WrongState
from campaigns.models import OnUnknown, Status, UnknownDecision
from campaigns.reconciliation import Report, last_report
from tests.support.ledger_harness import RESEND_QUIET_S, Batch, Clock, LedgerHarness


def reconciled(harness: LedgerHarness) -> Report:
    return harness.reconciler.reconcile(harness.catalog.get("c1"))


def dead_letter_in_dramatiq(harness: LedgerHarness, batch: Batch) -> None:
    """Store a batch's message as Dramatiq's script does when it rejects one."""
    dead = keys.dramatiq_dead("send_email")
    message = {"args": [batch.campaign_id, batch.list_version, batch.recipients]}
    seconds, microseconds = harness.redis.time()
    harness.redis.zadd(dead, {batch.batch_id: seconds * 1000 + microseconds // 1000})
    harness.redis.hset(f"{dead}.msgs", batch.batch_id, msgspec.json.encode(message))


def test_a_healthy_campaign_is_left_alone(harness: LedgerHarness, clock: Clock) -> None:
    """Given rows ready, dispatched, in flight, requeued and settled, then Reconcile finds nothing."""
    harness.slots = 2
    harness.start(rows=500)
    first, second = harness.batches()
    harness.admit(first)
    harness.settle(first, first.rows[:20], "accepted")
    harness.settle(first, first.rows[20:30], "throttled")
    clock.advance(3_000)
    harness.dispatch()
    assert second.rows
    report = reconciled(harness)
    assert report.found == {}
    assert report.checked > 0
    assert last_report(harness.redis, "c1") == {
        "checked": report.checked,
        "found": {},
        "repaired": {},
        "finished_at": report.finished_at,
    }


def test_rows_of_a_lost_message_are_refed_and_sent_once(harness: LedgerHarness, clock: Clock) -> None:
    """Given dispatched messages that vanished, when they are overdue, then Reconcile refeeds their rows, and each is
    sent once.
    """
    harness.start(rows=100)
    lost, kept = harness.batches()
    harness.admit(kept)
    harness.settle(kept, kept.rows, "accepted")
    assert reconciled(harness).found == {}
    clock.advance(61_000)
    harness.dispatch()
    assert reconciled(harness).repaired == {"lost": 64}
    assert sorted(harness.drain()) == lost.rows
    assert harness.report().status == Status.COMPLETED


def test_a_message_that_was_thought_lost_is_stale_when_it_arrives_after_all(
    harness: LedgerHarness, clock: Clock
) -> None:
    harness.start(rows=10)
    (late,) = harness.batches()
    clock.advance(61_000)
    harness.dispatch()
    reconciled(harness)
    assert harness.admit(late).verdict == "stale"
    assert sorted(harness.drain()) == list(range(1, 11))


def test_rows_lost_from_the_ready_list_are_refed(harness: LedgerHarness) -> None:
    harness.start(rows=50)
    harness.redis.delete(keys.of("c1", "ready"))
    assert reconciled(harness).repaired == {"lost": 50}
    assert len(harness.drain()) == 50


def test_a_row_whose_retry_never_came_is_refed_in_time(harness: LedgerHarness, clock: Clock) -> None:
    """Given a retry whose enqueue failed, so that its message is gone, then Reconcile finds the row within a minute."""
    harness.start(rows=1)
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.settle(batch, [1], "unavailable") == ["retry"]
    clock.advance(9_000)
    assert reconciled(harness).found == {}
    clock.advance(2_000)
    assert reconciled(harness).repaired == {"lost": 1}


def test_a_retry_on_the_queue_is_left_until_it_is_overdue(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=1)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "unavailable")
    harness.ledger.touch_batch("c1", batch.batch_id, 200_000, [1])
    clock.advance(240_000)
    assert reconciled(harness).found == {}
    clock.advance(10_000)
    assert reconciled(harness).repaired == {"lost": 1}


def test_rows_in_flight_of_a_dead_worker_become_unknown(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.admit(batch, worker_id="w2")
    harness.dispatch("w2")
    assert reconciled(harness).found == {}
    harness.outlive(clock, 10_001, "w1")
    assert reconciled(harness).repaired == {"dead_claims": 10}
    report = harness.report()
    assert (report.unknown, report.in_flight, report.status) == (10, 0, Status.COMPLETED)
    assert harness.admit(batch, worker_id="w1").granted == frozenset()


def test_a_worker_that_has_just_started_does_not_count_as_dead(harness: LedgerHarness, clock: Clock) -> None:
    """Given a claim of a worker that has had no round yet, then the worker counts as alive at that moment."""
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.admit(batch, worker_id="w2")
    assert reconciled(harness).found == {}
    harness.outlive(clock, 9_000, "w1")
    assert reconciled(harness).found == {}
    harness.outlive(clock, 1_001, "w1")
    assert reconciled(harness).repaired == {"dead_claims": 10}


def test_no_worker_counts_as_dead_because_redis_was_away(harness: LedgerHarness, clock: Clock) -> None:
    """Given two workers and a Redis that was away for long, when one worker is back first, then the other one has time
    to come back too, and only counts as dead after that.
    """
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.admit(batch, worker_id="w2")
    harness.dispatch("w2")
    clock.advance(30_000)
    harness.dispatch("w1")
    assert reconciled(harness).found == {}
    harness.outlive(clock, 9_000, "w1")
    assert reconciled(harness).found == {}
    assert harness.report().in_flight == 10
    harness.outlive(clock, 11_000, "w1")
    assert (harness.report().in_flight, harness.report().unknown) == (0, 10)


def test_a_dead_claim_on_a_done_row_makes_nothing_unknown(harness: LedgerHarness, clock: Clock) -> None:
    """Given a resent row, when its first sender reports late and the second dies, then the row is done once."""
    harness.start(rows=2)
    (batch,) = harness.batches()
    harness.admit(batch, worker_id="w1")
    harness.outlive(clock, 10_001, "w2")
    assert reconciled(harness).repaired == {"dead_claims": 2}
    harness.reconciler.decide(harness.catalog.get("c1"), UnknownDecision.RESEND)
    harness.prefetch(harness.catalog.get("c1"))
    harness.dispatch("w2")
    (again,) = harness.take()
    harness.admit(again, worker_id="w2")
    harness.settle(batch, [1], "accepted", worker_id="w1")
    harness.outlive(clock, 10_001, "w3")
    assert reconciled(harness).repaired == {"dead_claims": 1}
    assert (harness.report().done, harness.report().unknown, harness.report().in_flight) == (1, 1, 0)


def test_drifted_counters_are_set_to_what_the_ledger_says(harness: LedgerHarness) -> None:
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, batch.rows[:5], "accepted")
    harness.redis.hset(keys.of("c1", "progress"), mapping={"done": 7, "failed": 1})
    assert reconciled(harness).repaired == {"drifted_counters": 2}
    assert (harness.report().done, harness.report().failed) == (5, 0)


def test_a_dead_letter_that_was_not_recorded_is_recorded_as_failed(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=2)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unavailable", reason="500: try later")
    dead_letter_in_dramatiq(harness, batch)
    clock.advance(11_000)
    assert reconciled(harness).repaired == {"dead_letters": 1}
    assert (harness.report().failed, harness.report().status) == (1, Status.COMPLETED)
    assert harness.ledger.reasons("c1", [2]) == {2: "500: try later"}


def test_a_row_of_a_dead_letter_that_is_on_its_way_again_does_not_fail(harness: LedgerHarness) -> None:
    harness.start(rows=2)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1, 2], "throttled")
    dead_letter_in_dramatiq(harness, batch)
    assert reconciled(harness).repaired == {}
    assert harness.report().failed == 0


def test_retry_failed_sends_the_failed_rows_and_no_others(harness: LedgerHarness) -> None:
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, batch.rows[:6], "accepted")
    harness.settle(batch, batch.rows[6:], "rejected", reason="no")
    dead_letter_in_dramatiq(harness, batch)
    assert harness.report().status == Status.COMPLETED
    assert harness.reconciler.retry_failed(harness.catalog.get("c1")) == 4
    report = harness.report()
    assert (report.status, report.failed, report.pending, report.finished_at) == (Status.RUNNING, 0, 4, None)
    assert reconciled(harness).found == {}
    assert harness.drain() == [7, 8, 9, 10]
    assert harness.report().status == Status.COMPLETED


@pytest.mark.parametrize("decision", list(UnknownDecision))
def test_unknown_rows_get_the_end_that_the_operator_decided(harness: LedgerHarness, decision: UnknownDecision) -> None:
    harness.start(rows=3)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2, 3], "unknown")
    assert harness.reconciler.decide(harness.catalog.get("c1"), decision) == 2
    report = harness.report()
    expected: dict[UnknownDecision, tuple[Any, ...]] = {
        UnknownDecision.DONE: (3, 0, Status.COMPLETED),
        UnknownDecision.FAILED: (1, 2, Status.COMPLETED),
        UnknownDecision.RESEND: (1, 0, Status.RUNNING),
    }
    assert (report.done, report.failed, report.status) == expected[decision]
    assert report.unknown == 0
    if decision is UnknownDecision.RESEND:
        assert harness.drain() == [2, 3]


def test_on_unknown_resend_sends_again_only_after_the_quiet_time(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=2, on_unknown=OnUnknown.RESEND)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unknown")
    clock.advance(RESEND_QUIET_S * 1000 - 1)
    harness.dispatch()
    assert reconciled(harness).repaired == {}
    clock.advance(1)
    assert reconciled(harness).repaired == {"resent": 1}
    assert harness.drain() == [2]
    assert harness.report().status == Status.COMPLETED


def test_a_cancelled_campaign_resends_nothing(harness: LedgerHarness) -> None:
    harness.start(rows=2)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "unknown")
    harness.settle(batch, [2], "rejected")
    harness.start("c2", rows=2)
    (other,) = harness.batches()
    harness.admit(other)
    harness.settle(other, [1], "rejected")
    harness.controls.cancel("c2")
    cancelled = harness.catalog.get("c2")
    with pytest.raises(WrongState, match="cancelled"):
        harness.reconciler.retry_failed(cancelled)
    with pytest.raises(WrongState, match="cancelled"):
        harness.reconciler.decide(cancelled, UnknownDecision.RESEND)
