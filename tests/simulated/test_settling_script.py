"""settle.lua and bury.lua: what becomes of claimed rows."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import keys
from campaigns.ledger import Group, Settlement, deferred_entry
from campaigns.models import OnUnknown, RowState, Status
from tests.support.ledger_harness import PROVIDER, Clock, LedgerHarness, Run
from tests.support.lua_settings import setting

BLOCK_MAX_MS = setting("GATE_MAX_MS")
OUTAGE_PATIENCE_MS = setting("OUTAGE_PATIENCE_MS")


def admitted(harness: LedgerHarness, rows: int = 10, **options: Any) -> Run:
    """A campaign whose only run is in flight."""
    harness.start(rows=rows, **options)
    (run,) = harness.runs()
    harness.admit(run)
    return run


def test_all_accepted_completes_the_campaign(harness: LedgerHarness) -> None:
    run = admitted(harness)
    assert harness.settle(run, run.rows, "accepted") == ["done"] * 10
    report = harness.report()
    assert (report.status, report.done, report.in_flight, report.pending) == (Status.COMPLETED, 10, 0, 0)
    assert report.finished_at is not None
    assert harness.redis.scard(keys.RUNNING) == 0


def test_the_same_outcome_twice_counts_once(harness: LedgerHarness) -> None:
    run = admitted(harness)
    harness.settle(run, [1], "accepted")
    harness.settle(run, [1], "accepted")
    harness.settle(run, [2], "rejected", reason="no")
    assert harness.settle(run, [2], "rejected", reason="no") == ["gone"]
    assert (harness.report().done, harness.report().failed) == (1, 1)


def test_a_rejected_row_is_failed_with_the_providers_words(harness: LedgerHarness) -> None:
    run = admitted(harness, 3)
    assert harness.settle(run, [2], "rejected", reason="does not contain a valid address") == ["failed"]
    assert harness.ledger.reasons("c1", [1, 2]) == {2: "does not contain a valid address"}
    assert harness.ledger.states("c1", 1, 3) == [RowState.PENDING, RowState.FAILED, RowState.PENDING]


def test_unknown_rows_are_held_and_do_not_keep_a_campaign_from_being_completed(harness: LedgerHarness) -> None:
    run = admitted(harness, 3)
    harness.settle(run, [1, 2], "accepted")
    assert harness.settle(run, [3], "unknown", reason="no answer") == ["unknown"]
    report = harness.report()
    assert (report.status, report.pending, report.unknown) == (Status.COMPLETED, 1, 1)
    assert harness.ledger.states("c1", 3, 1) == [RowState.UNKNOWN]


def test_with_on_unknown_resend_the_campaign_waits_for_its_unknown_rows(harness: LedgerHarness) -> None:
    run = admitted(harness, 2, on_unknown=OnUnknown.RESEND)
    harness.settle(run, [1], "accepted")
    harness.settle(run, [2], "unknown")
    assert harness.report().status == Status.RUNNING


def test_a_late_acceptance_settles_a_row_that_was_held_as_unknown(harness: LedgerHarness, clock: Clock) -> None:
    """Given a worker taken for dead, when it turns out to live and its mail was accepted, then the row is done,
    once.
    """
    run = admitted(harness, 2)
    harness.outlive(clock, 20_000, "w2")
    harness.reconciler.reconcile(harness.catalog.get("c1"))
    assert harness.report().unknown == 2
    assert harness.settle(run, [1], "accepted") == ["done"]
    assert (harness.report().done, harness.report().unknown) == (1, 1)


def test_a_failure_that_may_pass_costs_an_attempt_and_keeps_its_reason(harness: LedgerHarness) -> None:
    run = admitted(harness, 2)
    assert harness.settle(run, [1], "unavailable", reason="500") == ["retry"]
    report = harness.report()
    assert (report.retries, report.in_flight, report.failed) == (1, 1, 0)
    assert harness.ledger.bury("c1", run.generation, run.run_id, "exhausted", [1]) == 1
    assert harness.ledger.reasons("c1", [1]) == {1: "500"}
    assert harness.report().failed == 1


def test_bury_leaves_final_rows_and_rows_in_flight_alone(harness: LedgerHarness) -> None:
    run = admitted(harness, 3)
    harness.settle(run, [1], "accepted")
    harness.settle(run, [2], "unknown")
    assert harness.ledger.bury("c1", run.generation, run.run_id, "exhausted", [1, 2, 3]) == 0
    assert harness.report().failed == 0


def test_a_row_that_was_not_tried_waits_again_at_no_cost(harness: LedgerHarness, clock: Clock) -> None:
    """Given rows handed back without a try, then they count nowhere, close no gate, and go out later, also after a
    pause; a gate that such a row was to probe is probed by another one.
    """
    run = admitted(harness, 3)
    assert harness.settle(run, [1], "not_tried") == ["defer"]
    harness.controls.pause("c1")
    assert harness.settle(run, [2], "not_tried") == ["defer"]
    report = harness.report()
    assert (report.retries, report.in_flight, report.status, report.reason) == (0, 1, Status.PAUSED, None)
    assert harness.ledger.reasons("c1", [1, 2]) == {}
    harness.controls.resume("c1")
    assert harness.settle(run, [3], "throttled", wait=1_000, reason="429") == ["defer"]
    clock.advance(1_001)
    (probe,) = harness.runs()
    assert len(harness.admit(probe).granted) == 1
    (probed,) = harness.redis.hkeys(keys.of("c1", "flight"))
    assert harness.settle(probe, [int(probed)], "not_tried") == ["defer"]
    assert sorted(harness.drain()) == [1, 2, 3]


def test_a_throttled_row_costs_no_attempt_and_closes_the_gate_for_everybody(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given a 429 with Retry-After, then nothing is released or admitted until it has passed; then one row tries,
    then all.
    """
    run = admitted(harness, 3)
    harness.start("c2", 200)
    waiting = harness.runs()
    assert harness.settle(run, [1], "throttled", wait=3000, reason="429") == ["defer"]
    assert harness.admit(waiting[0]).verdict == "blocked"
    assert harness.runs() == []
    clock.advance(3001)
    (probe,) = harness.runs()
    assert harness.admit(waiting[1]).verdict == "blocked"
    assert harness.report("c2").in_flight == 1
    assert harness.admit(probe).granted == frozenset()
    assert harness.runs() == []
    probed = next(iter(harness.redis.hkeys(keys.of("c2", "flight"))))
    harness.settle(waiting[1], [int(probed)], "accepted")
    assert sum(len(harness.admit(more).granted) for more in harness.runs()) > 100


def test_answers_under_way_when_the_gate_closes_do_not_close_it_further(harness: LedgerHarness) -> None:
    run = admitted(harness, 50)
    harness.settle(run, run.rows, "throttled", reason="429: slow down")
    assert harness.report().reason == "waiting for the provider: 429: slow down"
    assert harness.redis.hget(keys.gate("double"), "level") == b"1"


def test_an_unreachable_provider_costs_nobody_an_attempt(harness: LedgerHarness, clock: Clock) -> None:
    run = admitted(harness, 3)
    assert harness.settle(run, run.rows, "unreachable", reason="connection refused") == ["defer"] * 3
    for _ in range(50):
        clock.advance(BLOCK_MAX_MS + 1)
        runs = harness.runs()
        assert sum(len(one.rows) for one in runs) <= 3
        for one in runs:
            granted = sorted(harness.admit(one).granted)
            assert len(granted) <= 1
            assert harness.settle(one, granted, "unreachable") == ["defer"] * len(granted)
    assert harness.report().failed == 0


def test_an_outage_of_an_hour_fails_nobody_and_its_end_is_noticed_at_once(harness: LedgerHarness, clock: Clock) -> None:
    """Given 30 recipients and an hour of 503, then one row at a time is tried and no recipient fails."""
    run = admitted(harness, 30)
    verdicts = harness.settle(run, run.rows, "unavailable", reason="503")
    late = [Run(run.run_id, "c1", run.generation, run.recipients[: verdicts.count("retry")], 1)]
    harness.ledger.touch_run("c1", run.run_id, 1000, late[0].rows)
    asked, until = 0, clock.now_ms + 3_600_000
    clock.advance(5_000)
    while clock.now_ms < until:
        for one in harness.runs() + late:
            granted = sorted(harness.admit(one).granted)
            asked += len(granted)
            assert set(harness.settle(one, granted, "unavailable", reason="503")) <= {"defer"}
        late = []
        clock.advance(3_000)
    assert 500 < asked < 1_300
    assert (harness.report().failed, harness.report().in_flight) == (0, 0)
    clock.advance(BLOCK_MAX_MS)
    (probe,) = harness.runs()
    harness.settle(probe, sorted(harness.admit(probe).granted), "accepted")
    assert len(harness.drain()) == 29


def test_an_outage_beyond_all_patience_costs_attempts(harness: LedgerHarness, clock: Clock) -> None:
    run = admitted(harness, 3)
    harness.settle(run, [1, 2], "unreachable")
    clock.advance(OUTAGE_PATIENCE_MS + 1)
    assert harness.settle(run, [3], "unreachable") == ["retry"]


def test_many_failing_recipients_are_the_providers_trouble(harness: LedgerHarness) -> None:
    """Given 30 % of 100 mails answered by 503, then the first few cost an attempt and the rest none, and the gate is
    closed.
    """
    harness.start(rows=60)
    (run,) = harness.runs()
    harness.admit(run)
    harness.settle(run, run.rows[:30], "accepted")
    verdicts = harness.settle(run, run.rows[30:], "unavailable")
    assert verdicts == ["retry"] * 19 + ["defer"] * 11
    assert harness.redis.hget(keys.gate("double"), "level") == b"1"


def test_a_refused_account_pauses_the_campaign_with_the_reason(harness: LedgerHarness) -> None:
    run = admitted(harness, 2)
    assert harness.settle(run, [1], "refused", reason="401: the API key is not valid") == ["defer"]
    report = harness.report()
    assert (report.status, report.reason) == (Status.PAUSED, "401: the API key is not valid")
    harness.settle(run, [2], "refused", reason="401")
    harness.controls.resume("c1")
    assert harness.report().reason is None
    assert sorted(row for one in harness.runs() for row in one.rows) == [1, 2]


@pytest.mark.parametrize("kind", ["unavailable", "unknown", "rejected"])
def test_an_outcome_for_a_row_that_is_no_longer_claimed_changes_nothing(harness: LedgerHarness, kind: str) -> None:
    run = admitted(harness, 2)
    assert harness.settle(run, [1], kind, worker_id="another") == ["gone"]
    assert harness.report().in_flight == 2


def test_what_was_accepted_is_recorded_even_where_the_claim_is_gone(harness: LedgerHarness) -> None:
    run = admitted(harness, 2)
    harness.redis.delete(keys.of("c1", "flight"))
    assert harness.settle(run, [1], "accepted") == ["done"]
    assert harness.report().done == 1


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "rejected", "unknown"])
def test_an_outcome_told_once_more_leaves_a_newer_claim_of_the_same_worker_alone(
    harness: LedgerHarness, kind: str
) -> None:
    """Given the answer to a settlement was lost, and the row has been put back and claimed again by the same worker
    meanwhile, when it is settled once more, then nothing is recorded: the row is being sent.
    """
    harness.start(rows=1)
    (run,) = harness.runs()
    harness.ledger.admit("c1", run.generation, run.run_id, "w1", run.recipients, nonce="n1")
    outcome = Settlement(1, "throttled", "", 1, deferred_entry(0, run.recipients[0]), "n1")
    group = Group("c1", run.generation, [outcome])
    assert harness.ledger.settle("w1", [group]) == [(["defer"], False)]
    harness.redis.delete(keys.gate(PROVIDER))
    (again,) = harness.runs()
    grant = harness.ledger.admit("c1", again.generation, again.run_id, "w1", again.recipients, nonce="n2")
    assert grant.granted == {1}
    repeated = group._replace(outcomes=[outcome._replace(kind=kind)])
    assert harness.ledger.settle("w1", [repeated]) == [(["gone"], False)]
    assert harness.report().in_flight == 1
    assert harness.redis.llen(keys.of("c1", "deferred")) == 0
    assert harness.ledger.settle("w1", [group._replace(outcomes=[outcome._replace(kind=kind, nonce="n2")])]) != [
        (["gone"], False)
    ]
