"""admit.lua and requeue.lua: what may be sent, and what goes back."""

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


def test_another_copy_of_the_message_gets_nothing_while_the_rows_are_in_flight(harness: LedgerHarness) -> None:
    harness.start()
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.admit(batch).granted == frozenset()
    assert harness.admit(batch, worker_id="w2").granted == frozenset()
    assert harness.report().in_flight == 10


def test_a_question_asked_again_is_answered_again(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer that got lost on the way, when the same question is put again, then the same rows are granted."""
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
def test_a_message_that_is_nobodys_is_dropped(harness: LedgerHarness, kind: str) -> None:
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


def test_nothing_is_admitted_once_pause_has_answered(harness: LedgerHarness) -> None:
    """Given a batch on the queue, when pause has answered, then the batch goes back and comes again after resume."""
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


def test_pause_counts_what_is_in_flight_and_that_still_arrives(harness: LedgerHarness) -> None:
    harness.start(rows=5)
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.controls.pause("c1") == 5
    harness.settle(batch, batch.rows[:4], "accepted")
    assert harness.report().done == 4
    harness.settle(batch, batch.rows[4:], "accepted")
    assert harness.report().status == Status.COMPLETED


def test_cancel_ends_it_for_good(harness: LedgerHarness) -> None:
    harness.start(rows=5)
    (batch,) = harness.batches()
    harness.admit(batch)
    assert harness.controls.cancel("c1") == 5
    harness.settle(batch, [1, 2, 3], "accepted")
    assert harness.settle(batch, [4, 5], "throttled") == ["gone", "gone"]
    report = harness.report()
    assert (report.status, report.done, report.pending, report.in_flight) == (Status.CANCELLED, 3, 2, 0)
    assert harness.redis.llen(keys.of("c1", "requeued")) == 0


def test_the_window_refuses_what_is_above_the_limit(harness: LedgerHarness, clock: Clock) -> None:
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


def test_deferral_leaves_the_retries_as_they_are(harness: LedgerHarness) -> None:
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
