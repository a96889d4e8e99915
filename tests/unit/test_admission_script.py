"""admit.lua and defer.lua: what may be sent, and what goes back."""

from __future__ import annotations

import pytest

from campaigns import keys
from campaigns.models import Status
from tests.support.ledger_harness import Clock, World


def test_a_released_run_is_granted_whole_and_claimed(world: World) -> None:
    world.start(rows=10)
    (run,) = world.runs()
    grant = world.admit(run)
    assert grant.verdict == "ok"
    assert grant.granted == frozenset(range(1, 11))
    assert world.report().in_flight == 10


def test_another_copy_of_the_message_gets_nothing_while_the_rows_are_in_flight(world: World) -> None:
    world.start()
    (run,) = world.runs()
    world.admit(run)
    assert world.admit(run).granted == frozenset()
    assert world.admit(run, worker_id="w2").granted == frozenset()
    assert world.report().in_flight == 10


def test_a_question_asked_again_is_answered_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer that got lost on the way, when the same question is put again, then the same rows are granted."""
    world.start(rows=10)
    (run,) = world.runs()
    monkeypatch.setattr("tests.support.ledger_harness.uuid4", lambda: type("Nonce", (), {"hex": "0123456789abcdef"}))
    first = world.admit(run)
    assert world.admit(run).granted == first.granted
    assert world.report().in_flight == 10
    assert world.report().sent_last_minute == 20


def test_a_final_row_is_never_granted_again(world: World) -> None:
    world.start(rows=3)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "accepted")
    world.settle(run, [2], "rejected", reason="no such mailbox")
    world.settle(run, [3], "unknown")
    assert world.admit(run).granted == frozenset()


@pytest.mark.parametrize("kind", ["closed run", "other list", "deleted campaign"])
def test_a_message_that_is_nobodys_is_dropped(world: World, kind: str) -> None:
    world.start()
    (run,) = world.runs()
    if kind == "closed run":
        world.ledger.close_run("c1", run.run_id)
    elif kind == "other list":
        run.generation = "another"
    else:
        world.controls.pause("c1")
        world.catalog.delete("c1")
    assert world.admit(run).verdict == "stale"


def test_nothing_is_admitted_once_pause_has_answered(world: World) -> None:
    """Given a run on the queue, when pause has answered, then the run goes back and comes again after resume."""
    world.start()
    (run,) = world.runs()
    assert world.controls.pause("c1") == 0
    grant = world.admit(run)
    assert (grant.verdict, grant.granted) == ("paused", frozenset())
    assert world.runs() == []
    world.controls.resume("c1")
    (again,) = world.runs()
    assert again.rows == run.rows
    assert world.admit(again).granted == frozenset(run.rows)


def test_pause_counts_what_is_in_flight_and_that_still_arrives(world: World) -> None:
    world.start(rows=5)
    (run,) = world.runs()
    world.admit(run)
    assert world.controls.pause("c1") == 5
    world.settle(run, run.rows[:4], "accepted")
    assert world.report().done == 4
    world.settle(run, run.rows[4:], "accepted")
    assert world.report().status == Status.COMPLETED


def test_cancel_ends_it_for_good(world: World) -> None:
    world.start(rows=5)
    (run,) = world.runs()
    world.admit(run)
    assert world.controls.cancel("c1") == 5
    world.settle(run, [1, 2, 3], "accepted")
    assert world.settle(run, [4, 5], "throttled") == ["gone", "gone"]
    report = world.report()
    assert (report.status, report.done, report.pending, report.in_flight) == (Status.CANCELLED, 3, 2, 0)
    assert world.redis.llen(keys.of("c1", "deferred")) == 0


def test_the_window_refuses_what_is_above_the_limit(world: World, clock: Clock) -> None:
    world.start(rows=10)
    (run,) = world.runs()
    world.controls.set_rate("c1", 4)
    grant = world.admit(run)
    assert (grant.verdict, len(grant.granted), len(grant.denied)) == ("limited", 4, 6)
    clock.advance(60_200)
    assert world.runs() == []
    clock.advance(101)
    (rest,) = world.runs()
    assert world.admit(rest).granted == frozenset(rest.rows)


def test_deferral_leaves_the_retries_as_they_are(world: World) -> None:
    world.start(rows=2)
    (run,) = world.runs()
    run.retries = 3
    world.controls.pause("c1")
    world.admit(run)
    world.controls.resume("c1")
    assert [again.retries for again in world.runs()] == [3]


def test_a_lower_limit_admits_nothing_until_the_window_is_below_it(world: World, clock: Clock) -> None:
    world.start(rows=100)
    run, more = world.runs()
    assert len(world.admit(run).granted) == 64
    world.controls.set_rate("c1", 10)
    clock.advance(59_000)
    assert world.admit(more).granted == frozenset()
    assert world.report().sent_last_minute == 64
