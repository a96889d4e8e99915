"""Reconcile: finds what is lost, dead, drifted or undecided, and repairs it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from campaigns import keys
from campaigns.errors import WrongState
from campaigns.models import OnUnknown, Status, UnknownDecision
from campaigns.reconciliation import Report, last_report
from tests.support.ledger_harness import RESEND_QUIET_S, Clock, Run, World


def reconciled(world: World) -> Report:
    return world.reconciler.reconcile(world.catalog.get("c1"))


def bury_in_dramatiq(world: World, run: Run) -> None:
    """What Dramatiq's dispatch script does with a message that is rejected."""
    dead = keys.dramatiq_dead("send_email")
    message = {"args": [run.campaign_id, run.generation, run.recipients]}
    seconds, microseconds = world.redis.time()
    world.redis.zadd(dead, {run.run_id: seconds * 1000 + microseconds // 1000})
    world.redis.hset(f"{dead}.msgs", run.run_id, json.dumps(message))


def test_a_healthy_campaign_is_left_alone(world: World, clock: Clock) -> None:
    """Given rows waiting, released, in flight, deferred and settled, then nothing is found."""
    world.slots = 2
    world.start(rows=500)
    first, second = world.runs()
    world.admit(first)
    world.settle(first, first.rows[:20], "accepted")
    world.settle(first, first.rows[20:30], "throttled")
    clock.advance(3_000)
    world.tick()
    assert second.rows
    report = reconciled(world)
    assert report.found == {}
    assert report.checked > 0
    assert last_report(world.redis, "c1") == {
        "checked": report.checked,
        "found": {},
        "repaired": {},
        "finished_at": report.finished_at,
    }


def test_a_row_whose_message_was_lost_is_put_back_and_sent_once(world: World, clock: Clock) -> None:
    """Given released messages that vanished, when they are overdue, then their rows are fed again and all is sent
    once.
    """
    world.start(rows=100)
    lost, kept = world.runs()
    world.admit(kept)
    world.settle(kept, kept.rows, "accepted")
    assert reconciled(world).found == {}
    clock.advance(61_000)
    world.tick()
    assert reconciled(world).repaired == {"lost": 64}
    assert sorted(world.drain()) == lost.rows
    assert world.report().status == Status.COMPLETED


def test_the_message_that_was_thought_lost_is_nobodys_when_it_comes_after_all(world: World, clock: Clock) -> None:
    world.start(rows=10)
    (late,) = world.runs()
    clock.advance(61_000)
    world.tick()
    reconciled(world)
    assert world.admit(late).verdict == "stale"
    assert sorted(world.drain()) == list(range(1, 11))


def test_rows_lost_from_the_waiting_side_are_put_back(world: World) -> None:
    world.start(rows=50)
    world.redis.delete(keys.of("c1", "waiting"))
    assert reconciled(world).repaired == {"lost": 50}
    assert len(world.drain()) == 50


def test_a_retry_that_never_came_is_put_back_in_time(world: World, clock: Clock) -> None:
    """Given a retry whose enqueue failed, so that its message is gone, then the row is found within a minute."""
    world.start(rows=1)
    (run,) = world.runs()
    world.admit(run)
    assert world.settle(run, [1], "unavailable") == ["retry"]
    clock.advance(9_000)
    assert reconciled(world).found == {}
    clock.advance(2_000)
    assert reconciled(world).repaired == {"lost": 1}


def test_a_retry_that_is_on_the_queue_is_left_until_it_is_overdue(world: World, clock: Clock) -> None:
    world.start(rows=1)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "unavailable")
    world.ledger.touch_run("c1", run.run_id, 200_000, [1])
    clock.advance(240_000)
    assert reconciled(world).found == {}
    clock.advance(10_000)
    assert reconciled(world).repaired == {"lost": 1}


def test_rows_in_flight_of_a_dead_worker_become_unknown(world: World, clock: Clock) -> None:
    world.start(rows=10)
    (run,) = world.runs()
    world.admit(run, worker_id="w2")
    world.tick("w2")
    assert reconciled(world).found == {}
    world.outlive(clock, 10_001, "w1")
    assert reconciled(world).repaired == {"dead_claims": 10}
    report = world.report()
    assert (report.unknown, report.in_flight, report.status) == (10, 0, Status.COMPLETED)
    assert world.admit(run, worker_id="w1").granted == frozenset()


def test_a_worker_that_has_just_started_is_not_taken_for_dead(world: World, clock: Clock) -> None:
    """Given a claim of a worker that has not ticked yet, then it is as alive as one that ticked at that moment."""
    world.start(rows=10)
    (run,) = world.runs()
    world.admit(run, worker_id="w2")
    assert reconciled(world).found == {}
    world.outlive(clock, 9_000, "w1")
    assert reconciled(world).found == {}
    world.outlive(clock, 1_001, "w1")
    assert reconciled(world).repaired == {"dead_claims": 10}


def test_nobody_is_taken_for_dead_because_redis_was_away(world: World, clock: Clock) -> None:
    """Given two workers and a Redis that was away for long, when one of them is back first, then the other one has the
    time to come back too, and only then is taken for dead.
    """
    world.start(rows=10)
    (run,) = world.runs()
    world.admit(run, worker_id="w2")
    world.tick("w2")
    clock.advance(30_000)
    world.tick("w1")
    assert reconciled(world).found == {}
    world.outlive(clock, 9_000, "w1")
    assert reconciled(world).found == {}
    assert world.report().in_flight == 10
    world.outlive(clock, 11_000, "w1")
    assert (world.report().in_flight, world.report().unknown) == (0, 10)


def test_a_dead_claim_on_a_row_that_is_done_makes_nothing_unknown(world: World, clock: Clock) -> None:
    """Given a row that was resent, when its first sender answers late and the second dies, then it is done once."""
    world.start(rows=2)
    (run,) = world.runs()
    world.admit(run, worker_id="w1")
    world.outlive(clock, 10_001, "w2")
    assert reconciled(world).repaired == {"dead_claims": 2}
    world.reconciler.decide(world.catalog.get("c1"), UnknownDecision.RESEND)
    world.feed(world.catalog.get("c1"))
    world.tick("w2")
    (again,) = world.take()
    world.admit(again, worker_id="w2")
    world.settle(run, [1], "accepted", worker_id="w1")
    world.outlive(clock, 10_001, "w3")
    assert reconciled(world).repaired == {"dead_claims": 1}
    assert (world.report().done, world.report().unknown, world.report().in_flight) == (1, 1, 0)


def test_counters_that_drifted_are_made_what_the_ledger_says(world: World) -> None:
    world.start(rows=10)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, run.rows[:5], "accepted")
    world.redis.hset(keys.of("c1", "progress"), mapping={"done": 7, "failed": 1})
    assert reconciled(world).repaired == {"drifted_counters": 2}
    assert (world.report().done, world.report().failed) == (5, 0)


def test_a_dead_letter_that_was_not_recorded_is_recorded_as_failed(world: World, clock: Clock) -> None:
    world.start(rows=2)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "accepted")
    world.settle(run, [2], "unavailable", reason="500: try later")
    bury_in_dramatiq(world, run)
    clock.advance(11_000)
    assert reconciled(world).repaired == {"dead_letters": 1}
    assert (world.report().failed, world.report().status) == (1, Status.COMPLETED)
    assert world.ledger.reasons("c1", [2]) == {2: "500: try later"}


def test_a_dead_letters_row_that_is_on_its_way_again_is_not_failed(world: World) -> None:
    world.start(rows=2)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1, 2], "throttled")
    bury_in_dramatiq(world, run)
    assert reconciled(world).repaired == {}
    assert world.report().failed == 0


def test_retry_failed_sends_the_failed_rows_and_no_others(world: World) -> None:
    world.start(rows=10)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, run.rows[:6], "accepted")
    world.settle(run, run.rows[6:], "rejected", reason="no")
    bury_in_dramatiq(world, run)
    assert world.report().status == Status.COMPLETED
    assert world.reconciler.retry_failed(world.catalog.get("c1")) == 4
    report = world.report()
    assert (report.status, report.failed, report.pending, report.finished_at) == (Status.RUNNING, 0, 4, None)
    assert reconciled(world).found == {}
    assert world.drain() == [7, 8, 9, 10]
    assert world.report().status == Status.COMPLETED


@pytest.mark.parametrize("decision", list(UnknownDecision))
def test_unknown_rows_get_the_answer_that_was_decided(world: World, decision: UnknownDecision) -> None:
    world.start(rows=3)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "accepted")
    world.settle(run, [2, 3], "unknown")
    assert world.reconciler.decide(world.catalog.get("c1"), decision) == 2
    report = world.report()
    expected: dict[UnknownDecision, tuple[Any, ...]] = {
        UnknownDecision.DONE: (3, 0, Status.COMPLETED),
        UnknownDecision.FAILED: (1, 2, Status.COMPLETED),
        UnknownDecision.RESEND: (1, 0, Status.RUNNING),
    }
    assert (report.done, report.failed, report.status) == expected[decision]
    assert report.unknown == 0
    if decision is UnknownDecision.RESEND:
        assert world.drain() == [2, 3]


def test_on_unknown_resend_sends_again_after_the_quiet_time_only(world: World, clock: Clock) -> None:
    world.start(rows=2, on_unknown=OnUnknown.RESEND)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "accepted")
    world.settle(run, [2], "unknown")
    clock.advance(RESEND_QUIET_S * 1000 - 1)
    world.tick()
    assert reconciled(world).repaired == {}
    clock.advance(1)
    assert reconciled(world).repaired == {"resent": 1}
    assert world.drain() == [2]
    assert world.report().status == Status.COMPLETED


def test_a_cancelled_campaign_resends_nothing(world: World) -> None:
    world.start(rows=2)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "unknown")
    world.settle(run, [2], "rejected")
    world.start("c2", rows=2)
    (other,) = world.runs()
    world.admit(other)
    world.settle(other, [1], "rejected")
    world.controls.cancel("c2")
    cancelled = world.catalog.get("c2")
    with pytest.raises(WrongState, match="cancelled"):
        world.reconciler.retry_failed(cancelled)
    with pytest.raises(WrongState, match="cancelled"):
        world.reconciler.decide(cancelled, UnknownDecision.RESEND)
