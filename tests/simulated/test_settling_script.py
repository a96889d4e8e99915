"""settle.lua and bury.lua: what becomes of claimed rows."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import keys
from campaigns.ledger import BLOCK_MAX_MS, OUTAGE_PATIENCE_MS, Group, Settlement, deferred_entry
from campaigns.models import OnUnknown, RowState, Status
from tests.support.ledger_harness import PROVIDER, Clock, Run, World


def admitted(world: World, rows: int = 10, **options: Any) -> Run:
    """A campaign whose only run is in flight."""
    world.start(rows=rows, **options)
    (run,) = world.runs()
    world.admit(run)
    return run


def test_all_accepted_completes_the_campaign(world: World) -> None:
    run = admitted(world)
    assert world.settle(run, run.rows, "accepted") == ["done"] * 10
    report = world.report()
    assert (report.status, report.done, report.in_flight, report.pending) == (Status.COMPLETED, 10, 0, 0)
    assert report.finished_at is not None
    assert world.redis.scard(keys.RUNNING) == 0


def test_the_same_outcome_twice_counts_once(world: World) -> None:
    run = admitted(world)
    world.settle(run, [1], "accepted")
    world.settle(run, [1], "accepted")
    world.settle(run, [2], "rejected", reason="no")
    assert world.settle(run, [2], "rejected", reason="no") == ["gone"]
    assert (world.report().done, world.report().failed) == (1, 1)


def test_a_rejected_row_is_failed_with_the_providers_words(world: World) -> None:
    run = admitted(world, 3)
    assert world.settle(run, [2], "rejected", reason="does not contain a valid address") == ["failed"]
    assert world.ledger.reasons("c1", [1, 2]) == {2: "does not contain a valid address"}
    assert world.ledger.states("c1", 1, 3) == [RowState.PENDING, RowState.FAILED, RowState.PENDING]


def test_unknown_rows_are_held_and_do_not_keep_a_campaign_from_being_completed(world: World) -> None:
    run = admitted(world, 3)
    world.settle(run, [1, 2], "accepted")
    assert world.settle(run, [3], "unknown", reason="no answer") == ["unknown"]
    report = world.report()
    assert (report.status, report.pending, report.unknown) == (Status.COMPLETED, 1, 1)
    assert world.ledger.states("c1", 3, 1) == [RowState.UNKNOWN]


def test_with_on_unknown_resend_the_campaign_waits_for_its_unknown_rows(world: World) -> None:
    run = admitted(world, 2, on_unknown=OnUnknown.RESEND)
    world.settle(run, [1], "accepted")
    world.settle(run, [2], "unknown")
    assert world.report().status == Status.RUNNING


def test_a_late_acceptance_settles_a_row_that_was_held_as_unknown(world: World, clock: Clock) -> None:
    """Given a worker taken for dead, when it turns out to live and its mail was accepted, then the row is done,
    once.
    """
    run = admitted(world, 2)
    world.outlive(clock, 20_000, "w2")
    world.reconciler.reconcile(world.catalog.get("c1"))
    assert world.report().unknown == 2
    assert world.settle(run, [1], "accepted") == ["done"]
    assert (world.report().done, world.report().unknown) == (1, 1)


def test_a_failure_that_may_pass_costs_an_attempt_and_keeps_its_reason(world: World) -> None:
    run = admitted(world, 2)
    assert world.settle(run, [1], "unavailable", reason="500") == ["retry"]
    report = world.report()
    assert (report.retries, report.in_flight, report.failed) == (1, 1, 0)
    assert world.ledger.bury("c1", run.generation, run.run_id, "exhausted", [1]) == 1
    assert world.ledger.reasons("c1", [1]) == {1: "500"}
    assert world.report().failed == 1


def test_bury_leaves_final_rows_and_rows_in_flight_alone(world: World) -> None:
    run = admitted(world, 3)
    world.settle(run, [1], "accepted")
    world.settle(run, [2], "unknown")
    assert world.ledger.bury("c1", run.generation, run.run_id, "exhausted", [1, 2, 3]) == 0
    assert world.report().failed == 0


def test_a_row_that_was_not_tried_waits_again_at_no_cost(world: World, clock: Clock) -> None:
    """Given rows handed back without a try, then they count nowhere, close no gate, and go out later, also after a
    pause; a gate that such a row was to probe is probed by another one.
    """
    run = admitted(world, 3)
    assert world.settle(run, [1], "not_tried") == ["defer"]
    world.controls.pause("c1")
    assert world.settle(run, [2], "not_tried") == ["defer"]
    report = world.report()
    assert (report.retries, report.in_flight, report.status, report.reason) == (0, 1, Status.PAUSED, None)
    assert world.ledger.reasons("c1", [1, 2]) == {}
    world.controls.resume("c1")
    assert world.settle(run, [3], "throttled", wait=1_000, reason="429") == ["defer"]
    clock.advance(1_001)
    (probe,) = world.runs()
    assert len(world.admit(probe).granted) == 1
    (probed,) = world.redis.hkeys(keys.of("c1", "flight"))
    assert world.settle(probe, [int(probed)], "not_tried") == ["defer"]
    assert sorted(world.drain()) == [1, 2, 3]


def test_a_throttled_row_costs_no_attempt_and_closes_the_gate_for_everybody(world: World, clock: Clock) -> None:
    """Given a 429 with Retry-After, then nothing is released or admitted until it has passed; then one row tries,
    then all.
    """
    run = admitted(world, 3)
    world.start("c2", 200)
    waiting = world.runs()
    assert world.settle(run, [1], "throttled", wait=3000, reason="429") == ["defer"]
    assert world.admit(waiting[0]).verdict == "blocked"
    assert world.runs() == []
    clock.advance(3001)
    (probe,) = world.runs()
    assert world.admit(waiting[1]).verdict == "blocked"
    assert world.report("c2").in_flight == 1
    assert world.admit(probe).granted == frozenset()
    assert world.runs() == []
    probed = next(iter(world.redis.hkeys(keys.of("c2", "flight"))))
    world.settle(waiting[1], [int(probed)], "accepted")
    assert sum(len(world.admit(more).granted) for more in world.runs()) > 100


def test_answers_under_way_when_the_gate_closes_do_not_close_it_further(world: World) -> None:
    run = admitted(world, 50)
    world.settle(run, run.rows, "throttled", reason="429: slow down")
    assert world.report().reason == "waiting for the provider: 429: slow down"
    assert world.redis.hget(keys.gate("double"), "level") == b"1"


def test_an_unreachable_provider_costs_nobody_an_attempt(world: World, clock: Clock) -> None:
    run = admitted(world, 3)
    assert world.settle(run, run.rows, "unreachable", reason="connection refused") == ["defer"] * 3
    for _ in range(50):
        clock.advance(BLOCK_MAX_MS + 1)
        runs = world.runs()
        assert sum(len(one.rows) for one in runs) <= 3
        for one in runs:
            granted = sorted(world.admit(one).granted)
            assert len(granted) <= 1
            assert world.settle(one, granted, "unreachable") == ["defer"] * len(granted)
    assert world.report().failed == 0


def test_an_outage_of_an_hour_fails_nobody_and_its_end_is_noticed_at_once(world: World, clock: Clock) -> None:
    """Given 30 recipients and a provider that answers 503 for an hour, then one at a time tries and nobody fails."""
    run = admitted(world, 30)
    verdicts = world.settle(run, run.rows, "unavailable", reason="503")
    late = [Run(run.run_id, "c1", run.generation, run.recipients[: verdicts.count("retry")], 1)]
    world.ledger.touch_run("c1", run.run_id, 1000, late[0].rows)
    asked, until = 0, clock.now_ms + 3_600_000
    clock.advance(5_000)
    while clock.now_ms < until:
        for one in world.runs() + late:
            granted = sorted(world.admit(one).granted)
            asked += len(granted)
            assert set(world.settle(one, granted, "unavailable", reason="503")) <= {"defer"}
        late = []
        clock.advance(3_000)
    assert 500 < asked < 1_300
    assert (world.report().failed, world.report().in_flight) == (0, 0)
    clock.advance(BLOCK_MAX_MS)
    (probe,) = world.runs()
    world.settle(probe, sorted(world.admit(probe).granted), "accepted")
    assert len(world.drain()) == 29


def test_an_outage_beyond_all_patience_costs_attempts(world: World, clock: Clock) -> None:
    run = admitted(world, 3)
    world.settle(run, [1, 2], "unreachable")
    clock.advance(OUTAGE_PATIENCE_MS + 1)
    assert world.settle(run, [3], "unreachable") == ["retry"]


def test_many_failing_recipients_are_the_providers_trouble(world: World) -> None:
    """Given 30 % of 100 mails answered by 503, then the first few cost an attempt and the rest none, and the gate is
    closed.
    """
    world.start(rows=60)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, run.rows[:30], "accepted")
    verdicts = world.settle(run, run.rows[30:], "unavailable")
    assert verdicts == ["retry"] * 19 + ["defer"] * 11
    assert world.redis.hget(keys.gate("double"), "level") == b"1"


def test_a_refused_account_pauses_the_campaign_with_the_reason(world: World) -> None:
    run = admitted(world, 2)
    assert world.settle(run, [1], "refused", reason="401: the API key is not valid") == ["defer"]
    report = world.report()
    assert (report.status, report.reason) == (Status.PAUSED, "401: the API key is not valid")
    world.settle(run, [2], "refused", reason="401")
    world.controls.resume("c1")
    assert world.report().reason is None
    assert sorted(row for one in world.runs() for row in one.rows) == [1, 2]


@pytest.mark.parametrize("kind", ["unavailable", "unknown", "rejected"])
def test_an_outcome_for_a_row_that_is_no_longer_claimed_changes_nothing(world: World, kind: str) -> None:
    run = admitted(world, 2)
    assert world.settle(run, [1], kind, worker_id="another") == ["gone"]
    assert world.report().in_flight == 2


def test_what_was_accepted_is_recorded_even_where_the_claim_is_gone(world: World) -> None:
    run = admitted(world, 2)
    world.redis.delete(keys.of("c1", "flight"))
    assert world.settle(run, [1], "accepted") == ["done"]
    assert world.report().done == 1


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "rejected", "unknown"])
def test_an_outcome_told_once_more_leaves_a_newer_claim_of_the_same_worker_alone(world: World, kind: str) -> None:
    """Given the answer to a settlement was lost, and the row has been put back and claimed again by the same worker
    meanwhile, when it is settled once more, then nothing is recorded: the row is being sent.
    """
    world.start(rows=1)
    (run,) = world.runs()
    world.ledger.admit("c1", run.generation, run.run_id, "w1", run.recipients, nonce="n1")
    outcome = Settlement(1, "throttled", "", 1, deferred_entry(0, run.recipients[0]), "n1")
    group = Group("c1", run.generation, [outcome])
    assert world.ledger.settle("w1", [group]) == [(["defer"], False)]
    world.redis.delete(keys.gate(PROVIDER))
    (again,) = world.runs()
    grant = world.ledger.admit("c1", again.generation, again.run_id, "w1", again.recipients, nonce="n2")
    assert grant.granted == {1}
    repeated = group._replace(outcomes=[outcome._replace(kind=kind)])
    assert world.ledger.settle("w1", [repeated]) == [(["gone"], False)]
    assert world.report().in_flight == 1
    assert world.redis.llen(keys.of("c1", "deferred")) == 0
    assert world.ledger.settle("w1", [group._replace(outcomes=[outcome._replace(kind=kind, nonce="n2")])]) != [
        (["gone"], False)
    ]
