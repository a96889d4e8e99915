"""settle.lua and record_dead_letter.lua: what becomes of claimed rows."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import keys
from campaigns.ledger import Group, Settlement, requeued_entry
from campaigns.models import OnUnknown, RowState, Status
from tests.support.ledger_harness import PROVIDER, Batch, Clock, LedgerHarness
from tests.support.lua_settings import setting

BREAKER_MAX_MS = setting("BREAKER_MAX_MS")
OUTAGE_PATIENCE_MS = setting("OUTAGE_PATIENCE_MS")


def admitted(harness: LedgerHarness, rows: int = 10, **options: Any) -> Batch:
    """A campaign whose only batch is in flight."""
    harness.start(rows=rows, **options)
    (batch,) = harness.batches()
    harness.admit(batch)
    return batch


def test_the_campaign_completes_when_all_rows_are_accepted(harness: LedgerHarness) -> None:
    batch = admitted(harness)
    assert harness.settle(batch, batch.rows, "accepted") == ["done"] * 10
    report = harness.report()
    assert (report.status, report.done, report.in_flight, report.pending) == (Status.COMPLETED, 10, 0, 0)
    assert report.finished_at is not None
    assert harness.redis.scard(keys.RUNNING) == 0


def test_a_repeated_outcome_counts_once(harness: LedgerHarness) -> None:
    batch = admitted(harness)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "rejected", reason="no")
    assert harness.settle(batch, [2], "rejected", reason="no") == ["gone"]
    assert (harness.report().done, harness.report().failed) == (1, 1)


def test_a_rejected_row_fails_with_the_providers_words(harness: LedgerHarness) -> None:
    batch = admitted(harness, 3)
    assert harness.settle(batch, [2], "rejected", reason="does not contain a valid address") == ["failed"]
    assert harness.ledger.reasons("c1", [1, 2]) == {2: "does not contain a valid address"}
    assert harness.ledger.states("c1", 1, 3) == [RowState.PENDING, RowState.FAILED, RowState.PENDING]


def test_unknown_rows_stay_unknown_and_do_not_keep_a_campaign_from_completing(harness: LedgerHarness) -> None:
    batch = admitted(harness, 3)
    harness.settle(batch, [1, 2], "accepted")
    assert harness.settle(batch, [3], "unknown", reason="no answer") == ["unknown"]
    report = harness.report()
    assert (report.status, report.pending, report.unknown) == (Status.COMPLETED, 1, 1)
    assert harness.ledger.states("c1", 3, 1) == [RowState.UNKNOWN]


def test_with_on_unknown_resend_the_campaign_waits_for_its_unknown_rows(harness: LedgerHarness) -> None:
    batch = admitted(harness, 2, on_unknown=OnUnknown.RESEND)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unknown")
    assert harness.report().status == Status.RUNNING


def test_a_late_acceptance_settles_an_unknown_row(harness: LedgerHarness, clock: Clock) -> None:
    """Given a live worker that counts as dead, when its email turns out to be accepted, then the row is done, once."""
    batch = admitted(harness, 2)
    harness.outlive(clock, 20_000, "w2")
    harness.reconciler.reconcile(harness.catalog.get("c1"))
    assert harness.report().unknown == 2
    assert harness.settle(batch, [1], "accepted") == ["done"]
    assert (harness.report().done, harness.report().unknown) == (1, 1)


def test_a_transient_failure_costs_an_attempt_and_keeps_its_reason(harness: LedgerHarness) -> None:
    batch = admitted(harness, 2)
    assert harness.settle(batch, [1], "unavailable", reason="500") == ["retry"]
    report = harness.report()
    assert (report.retries, report.in_flight, report.failed) == (1, 1, 0)
    assert harness.ledger.record_dead_letter("c1", batch.list_version, batch.batch_id, "exhausted", [1]) == 1
    assert harness.ledger.reasons("c1", [1]) == {1: "500"}
    assert harness.report().failed == 1


def test_recording_a_dead_letter_leaves_final_rows_and_rows_in_flight_alone(harness: LedgerHarness) -> None:
    batch = admitted(harness, 3)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unknown")
    assert harness.ledger.record_dead_letter("c1", batch.list_version, batch.batch_id, "exhausted", [1, 2, 3]) == 0
    assert harness.report().failed == 0


def test_a_row_that_was_not_tried_is_requeued_at_no_cost(harness: LedgerHarness, clock: Clock) -> None:
    """Given rows handed back without a try, then they count nowhere, open no breaker, and are sent later, also after a
    pause; if such a row was to probe a breaker, another row probes it.
    """
    batch = admitted(harness, 3)
    assert harness.settle(batch, [1], "not_tried") == ["requeue"]
    harness.controls.pause("c1")
    assert harness.settle(batch, [2], "not_tried") == ["requeue"]
    report = harness.report()
    assert (report.retries, report.in_flight, report.status, report.reason) == (0, 1, Status.PAUSED, None)
    assert harness.ledger.reasons("c1", [1, 2]) == {}
    harness.controls.resume("c1")
    assert harness.settle(batch, [3], "throttled", wait=1_000, reason="429") == ["requeue"]
    clock.advance(1_001)
    (probe,) = harness.batches()
    assert len(harness.admit(probe).granted) == 1
    (probed,) = harness.redis.hkeys(keys.of("c1", "in_flight"))
    assert harness.settle(probe, [int(probed)], "not_tried") == ["requeue"]
    assert sorted(harness.drain()) == [1, 2, 3]


def test_a_throttled_row_costs_no_attempt_and_opens_the_breaker_for_all(harness: LedgerHarness, clock: Clock) -> None:
    """Given a 429 with Retry-After, then nothing is dispatched or admitted until it has passed; then one row tries,
    then all.
    """
    batch = admitted(harness, 3)
    harness.start("c2", 200)
    dispatched = harness.batches()
    assert harness.settle(batch, [1], "throttled", wait=3000, reason="429") == ["requeue"]
    assert harness.admit(dispatched[0]).verdict == "blocked"
    assert harness.batches() == []
    clock.advance(3001)
    (probe,) = harness.batches()
    assert harness.admit(dispatched[1]).verdict == "blocked"
    assert harness.report("c2").in_flight == 1
    assert harness.admit(probe).granted == frozenset()
    assert harness.batches() == []
    probed = next(iter(harness.redis.hkeys(keys.of("c2", "in_flight"))))
    harness.settle(dispatched[1], [int(probed)], "accepted")
    assert sum(len(harness.admit(more).granted) for more in harness.batches()) > 100


def test_responses_under_way_when_the_breaker_opens_do_not_open_it_further(harness: LedgerHarness) -> None:
    batch = admitted(harness, 50)
    harness.settle(batch, batch.rows, "throttled", reason="429: slow down")
    assert harness.report().reason == "waiting for the provider: 429: slow down"
    assert harness.redis.hget(keys.breaker("double"), "level") == b"1"


def test_an_unreachable_provider_costs_no_recipient_an_attempt(harness: LedgerHarness, clock: Clock) -> None:
    batch = admitted(harness, 3)
    assert harness.settle(batch, batch.rows, "unreachable", reason="connection refused") == ["requeue"] * 3
    for _ in range(50):
        clock.advance(BREAKER_MAX_MS + 1)
        batches = harness.batches()
        assert sum(len(one.rows) for one in batches) <= 3
        for one in batches:
            granted = sorted(harness.admit(one).granted)
            assert len(granted) <= 1
            assert harness.settle(one, granted, "unreachable") == ["requeue"] * len(granted)
    assert harness.report().failed == 0


def test_an_outage_of_an_hour_fails_no_recipient_and_its_end_is_noticed_at_once(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given 30 recipients and an hour of 503, then one row at a time is tried and no recipient fails."""
    batch = admitted(harness, 30)
    verdicts = harness.settle(batch, batch.rows, "unavailable", reason="503")
    late = [Batch(batch.batch_id, "c1", batch.list_version, batch.recipients[: verdicts.count("retry")], 1)]
    harness.ledger.touch_batch("c1", batch.batch_id, 1000, late[0].rows)
    asked, until = 0, clock.now_ms + 3_600_000
    clock.advance(5_000)
    while clock.now_ms < until:
        for one in harness.batches() + late:
            granted = sorted(harness.admit(one).granted)
            asked += len(granted)
            assert set(harness.settle(one, granted, "unavailable", reason="503")) <= {"requeue"}
        late = []
        clock.advance(3_000)
    assert 500 < asked < 1_300
    assert (harness.report().failed, harness.report().in_flight) == (0, 0)
    clock.advance(BREAKER_MAX_MS)
    (probe,) = harness.batches()
    harness.settle(probe, sorted(harness.admit(probe).granted), "accepted")
    assert len(harness.drain()) == 29


def test_an_outage_beyond_the_patience_costs_attempts(harness: LedgerHarness, clock: Clock) -> None:
    batch = admitted(harness, 3)
    harness.settle(batch, [1, 2], "unreachable")
    clock.advance(OUTAGE_PATIENCE_MS + 1)
    assert harness.settle(batch, [3], "unreachable") == ["retry"]


def test_many_failing_recipients_count_as_the_providers_trouble(harness: LedgerHarness) -> None:
    """Given 30 % of 100 emails answered by 503, then the first few cost an attempt, the rest cost none, and the breaker
    is open.
    """
    harness.start(rows=60)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, batch.rows[:30], "accepted")
    verdicts = harness.settle(batch, batch.rows[30:], "unavailable")
    assert verdicts == ["retry"] * 19 + ["requeue"] * 11
    assert harness.redis.hget(keys.breaker("double"), "level") == b"1"


def test_a_refused_account_pauses_the_campaign_with_the_reason(harness: LedgerHarness) -> None:
    batch = admitted(harness, 2)
    assert harness.settle(batch, [1], "refused", reason="401: the API key is not valid") == ["requeue"]
    report = harness.report()
    assert (report.status, report.reason) == (Status.PAUSED, "401: the API key is not valid")
    harness.settle(batch, [2], "refused", reason="401")
    harness.controls.resume("c1")
    assert harness.report().reason is None
    assert sorted(row for one in harness.batches() for row in one.rows) == [1, 2]


@pytest.mark.parametrize("kind", ["unavailable", "unknown", "rejected"])
def test_an_outcome_of_a_row_that_is_no_longer_claimed_changes_nothing(harness: LedgerHarness, kind: str) -> None:
    batch = admitted(harness, 2)
    assert harness.settle(batch, [1], kind, worker_id="another") == ["gone"]
    assert harness.report().in_flight == 2


def test_an_acceptance_is_recorded_even_if_the_claim_is_gone(harness: LedgerHarness) -> None:
    batch = admitted(harness, 2)
    harness.redis.delete(keys.of("c1", "in_flight"))
    assert harness.settle(batch, [1], "accepted") == ["done"]
    assert harness.report().done == 1


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "rejected", "unknown"])
def test_a_repeated_outcome_leaves_a_newer_claim_of_the_same_worker_alone(harness: LedgerHarness, kind: str) -> None:
    """Given a settlement whose reply was lost, and a row that the same worker has claimed again after a requeue, when
    the settlement is repeated, then nothing is recorded, since the row is being sent.
    """
    harness.start(rows=1)
    (batch,) = harness.batches()
    harness.ledger.admit("c1", batch.list_version, batch.batch_id, "w1", batch.recipients, claim_id="n1")
    outcome = Settlement(1, "throttled", "", 1, requeued_entry(0, batch.recipients[0]), "n1")
    group = Group("c1", batch.list_version, [outcome])
    assert harness.ledger.settle("w1", [group]) == [(["requeue"], False)]
    harness.redis.delete(keys.breaker(PROVIDER))
    (again,) = harness.batches()
    grant = harness.ledger.admit("c1", again.list_version, again.batch_id, "w1", again.recipients, claim_id="n2")
    assert grant.granted == {1}
    repeated = group._replace(outcomes=[outcome._replace(kind=kind)])
    assert harness.ledger.settle("w1", [repeated]) == [(["gone"], False)]
    assert harness.report().in_flight == 1
    assert harness.redis.llen(keys.of("c1", "requeued")) == 0
    assert harness.ledger.settle("w1", [group._replace(outcomes=[outcome._replace(kind=kind, claim_id="n2")])]) != [
        (["gone"], False)
    ]
