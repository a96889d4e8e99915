"""Rows in flight that no worker will settle: the dispatcher's rounds alone give each one an end, in every state."""

from __future__ import annotations

import pytest

from campaigns import keys
from campaigns.errors import WrongState
from campaigns.models import Status, UnknownDecision
from tests.support.ledger_harness import Batch, Clock, LedgerHarness

#: The promise: one minute, and the round after it.
SETTLED_MS = 61_000


def in_flight(harness: LedgerHarness, campaign_id: str = "c1", worker_id: str = "w1") -> Batch:
    """A batch that a worker has claimed."""
    harness.start(campaign_id)
    [batch] = [batch for batch in harness.batches() if batch.campaign_id == campaign_id]
    assert harness.admit(batch, worker_id).granted
    return batch


def step(harness: LedgerHarness, status: Status) -> None:
    """Take the running campaign to this status."""
    if status is Status.PAUSED:
        harness.controls.pause("c1")
    elif status is Status.CANCELLED:
        harness.controls.cancel("c1")


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.CANCELLED])
def test_rows_of_a_dead_worker_are_settled_in_every_state(harness: LedgerHarness, clock: Clock, status: Status) -> None:
    """Given a worker that is killed while it sends, when the campaign is left alone, paused or cancelled right after,
    then no row is in flight a minute later, and the campaign can be deleted once it does not run.
    """
    in_flight(harness)
    step(harness, status)
    harness.outlive(clock, SETTLED_MS, "w2")
    report = harness.report()
    assert (report.in_flight, report.unknown) == (0, 10)
    assert report.status == (Status.COMPLETED if status is not Status.CANCELLED else status)
    assert "died" in harness.ledger.reasons("c1", [1])[1]
    harness.catalog.delete("c1")
    assert not harness.redis.exists(keys.CLAIMS)


def test_rows_of_a_dead_worker_are_settled_in_a_campaign_that_the_system_paused(
    harness: LedgerHarness, clock: Clock
) -> None:
    batch = in_flight(harness)
    harness.settle(batch, [1], "refused", reason="401 no")
    assert harness.report().status == Status.PAUSED
    harness.outlive(clock, SETTLED_MS, "w2")
    assert (harness.report().in_flight, harness.report().unknown) == (0, 9)


def test_a_completed_campaign_with_the_claim_of_a_dead_worker_can_be_deleted(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given a resent row whose second sender dies and whose first sender reports late, then nothing is left of the
    claim.
    """
    in_flight(harness, worker_id="w1")
    harness.outlive(clock, SETTLED_MS, "w2")
    harness.reconciler.decide(harness.catalog.get("c1"), UnknownDecision.RESEND)
    harness.prefetch(harness.catalog.get("c1"))
    harness.dispatch("w2")
    [again] = harness.take()
    harness.admit(again, worker_id="w2")
    harness.settle(again, again.rows, "accepted", worker_id="w1")
    assert harness.catalog.get("c1").status == Status.COMPLETED
    assert harness.redis.hlen(keys.of("c1", "in_flight")) == 10
    harness.outlive(clock, SETTLED_MS, "w3")
    assert (harness.report().done, harness.report().unknown, harness.report().in_flight) == (10, 0, 0)
    harness.catalog.delete("c1")


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.CANCELLED])
def test_a_row_that_a_live_worker_has_lost_is_settled_too(harness: LedgerHarness, clock: Clock, status: Status) -> None:
    """Given a live worker that never reports a row's outcome, then the row is unknown within a minute, and an outcome
    that comes later is still recorded.
    """
    batch = in_flight(harness)
    step(harness, status)
    harness.outlive(clock, SETTLED_MS, "w1")
    assert (harness.report().in_flight, harness.report().unknown) == (0, 10)
    assert "not told the outcome" in harness.ledger.reasons("c1", [1])[1]
    harness.settle(batch, [1], "accepted")
    assert (harness.report().done, harness.report().unknown) == (1, 9)


def test_a_send_that_takes_the_longest_allowed_time_keeps_its_claim(harness: LedgerHarness, clock: Clock) -> None:
    """Given a live worker, then a claim lasts at least as long as the longest send and its settlement."""
    batch = in_flight(harness)
    harness.outlive(clock, 34_000, "w1")
    assert harness.report().in_flight == 10
    harness.settle(batch, batch.rows, "accepted")
    assert (harness.report().done, harness.report().unknown) == (10, 0)


def test_rows_in_flight_from_before_an_upgrade_are_found(harness: LedgerHarness, clock: Clock) -> None:
    """Given a campaign that an older version left with rows in flight, when a worker starts, then these rows are
    settled too.
    """
    in_flight(harness)
    harness.controls.pause("c1")
    harness.make("c2")
    harness.redis.delete(keys.CLAIMS)
    dispatcher = harness.dispatcher("w2")
    dispatcher.find_claims()
    assert harness.redis.zrange(keys.CLAIMS, 0, -1) == [b"c1"]
    harness.outlive(clock, SETTLED_MS, "w2")
    assert (harness.report().in_flight, harness.report().unknown) == (0, 10)


def test_a_campaign_without_rows_in_flight_is_not_checked_again(harness: LedgerHarness, clock: Clock) -> None:
    """Given outcomes that came in time, then the campaign is checked once more and then never."""
    batch = in_flight(harness)
    assert harness.redis.zscore(keys.CLAIMS, "c1") == clock.now_ms + 10_000
    harness.settle(batch, batch.rows, "accepted")
    harness.outlive(clock, 11_000, "w1")
    assert not harness.redis.exists(keys.CLAIMS)


def test_checking_one_campaign_does_not_affect_the_others(harness: LedgerHarness, clock: Clock) -> None:
    """Given one campaign of a dead worker and one of a live worker, then only the dead worker's rows become unknown."""
    in_flight(harness, "c1", "dead")
    harness.outlive(clock, 5_000, "w1")
    in_flight(harness, "c2", "w1")
    harness.outlive(clock, 20_000, "w1")
    assert harness.report("c1").unknown == 10
    assert (harness.report("c2").in_flight, harness.report("c2").unknown) == (10, 0)


def test_a_refused_deletion_says_what_to_wait_for(harness: LedgerHarness) -> None:
    in_flight(harness)
    with pytest.raises(WrongState, match="pause or cancel it first"):
        harness.catalog.delete("c1")
    harness.controls.pause("c1")
    with pytest.raises(WrongState, match=r"now 10; they usually settle within a minute"):
        harness.catalog.delete("c1")
