"""admit.lua and requeue.lua: which rows may be sent, and which go back."""

from __future__ import annotations

import pytest

from campaigns import keys
from campaigns.models import Status
from tests.support.ledger_harness import Clock, LedgerHarness


def test_a_dispatched_batch_is_granted_whole_and_claimed(harness: LedgerHarness) -> None:
    harness.start(rows=10)
    (batch,) = harness.batches()
    grant = harness.admit(batch)
    assert grant.verdict == "ok"
    assert grant.granted == frozenset(range(1, 11))
    assert harness.report().in_flight == 10


def test_a_second_copy_of_a_message_gets_nothing_while_its_rows_are_in_flight(harness: LedgerHarness) -> None:
    harness.start()
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.admit(batch).granted == frozenset()
    assert harness.admit(batch, worker_id="w2").granted == frozenset()
    assert harness.report().in_flight == 10


def test_a_repeated_call_gets_the_same_grant(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a lost reply, when the same call is repeated, then the same rows are granted."""
    harness.start(rows=10)
    (batch,) = harness.batches()
    monkeypatch.setattr("tests.support.ledger_harness.uuid4", lambda: type("Claim id", (), {"hex": "0123456789abcdef"}))
    first = harness.admit(batch)
    assert harness.admit(batch).granted == first.granted
    assert harness.report().in_flight == 10
    assert harness.report().sent_last_minute == 20


def test_a_final_row_is_never_granted_again(harness: LedgerHarness) -> None:
    harness.start(rows=3)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "rejected", reason="no such mailbox")
    harness.settle(batch, [3], "unknown")
    assert harness.admit(batch).granted == frozenset()


@pytest.mark.parametrize("kind", ["closed batch", "other list", "deleted campaign"])
def test_a_message_without_a_current_batch_is_dropped(harness: LedgerHarness, kind: str) -> None:
    harness.start()
    (batch,) = harness.batches()
    if kind == "closed batch":
        harness.ledger.close_batch("c1", batch.batch_id)
    elif kind == "other list":
        batch.list_version = "another"
    else:
        harness.controls.pause("c1")
        harness.catalog.delete("c1")
    assert harness.admit(batch).verdict == "stale"


def test_nothing_is_admitted_once_pause_has_returned(harness: LedgerHarness) -> None:
    """Given a batch on the queue, when pause has returned, then the batch goes back and is dispatched again after
    resume.
    """
    harness.start()
    (batch,) = harness.batches()
    assert harness.controls.pause("c1") == 0
    grant = harness.admit(batch)
    assert (grant.verdict, grant.granted) == ("paused", frozenset())
    assert harness.batches() == []
    harness.controls.resume("c1")
    (again,) = harness.batches()
    assert again.rows == batch.rows
    assert harness.admit(again).granted == frozenset(batch.rows)


def test_pause_counts_rows_in_flight_whose_outcomes_are_still_recorded(harness: LedgerHarness) -> None:
    harness.start(rows=5)
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.controls.pause("c1") == 5
    harness.settle(batch, batch.rows[:4], "accepted")
    assert harness.report().done == 4
    harness.settle(batch, batch.rows[4:], "accepted")
    assert harness.report().status == Status.COMPLETED


def test_cancel_is_final(harness: LedgerHarness) -> None:
    harness.start(rows=5)
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.controls.cancel("c1") == 5
    harness.settle(batch, [1, 2, 3], "accepted")
    assert harness.settle(batch, [4, 5], "throttled") == ["gone", "gone"]
    report = harness.report()
    assert (report.status, report.done, report.pending, report.in_flight) == (Status.CANCELLED, 3, 2, 0)
    assert harness.redis.llen(keys.of("c1", "requeued")) == 0


def test_the_window_denies_rows_above_the_limit(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.controls.set_rate("c1", 4)
    grant = harness.admit(batch)
    assert (grant.verdict, len(grant.granted), len(grant.denied)) == ("limited", 4, 6)
    clock.advance(60_200)
    assert harness.batches() == []
    clock.advance(101)
    (rest,) = harness.batches()
    assert harness.admit(rest).granted == frozenset(rest.rows)


def test_requeueing_keeps_the_number_of_retries(harness: LedgerHarness) -> None:
    harness.start(rows=2)
    (batch,) = harness.batches()
    batch.retries = 3
    harness.controls.pause("c1")
    harness.admit(batch)
    harness.controls.resume("c1")
    assert [again.retries for again in harness.batches()] == [3]


def test_a_lower_limit_admits_nothing_until_the_window_is_below_it(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=100)
    batch, more = harness.batches()
    assert len(harness.admit(batch).granted) == 64
    harness.controls.set_rate("c1", 10)
    clock.advance(59_000)
    assert harness.admit(more).granted == frozenset()
    assert harness.report().sent_last_minute == 64
