"""Rows in flight that nobody will settle any more: they get an end in every state, by the ticks alone."""

from __future__ import annotations

import pytest

from campaigns import keys
from campaigns.errors import WrongState
from campaigns.models import Status, UnknownDecision
from tests.support.ledger_harness import Clock, Run, World

#: What is promised: a minute, and the tick after it.
SETTLED_MS = 61_000


def in_flight(world: World, campaign_id: str = "c1", worker_id: str = "w1") -> Run:
    """A run that a worker has claimed."""
    world.start(campaign_id)
    [run] = [run for run in world.runs() if run.campaign_id == campaign_id]
    assert world.admit(run, worker_id).granted
    return run


def step(world: World, status: Status) -> None:
    """Bring the running campaign there."""
    if status is Status.PAUSED:
        world.controls.pause("c1")
    elif status is Status.CANCELLED:
        world.controls.cancel("c1")


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.CANCELLED])
def test_the_rows_of_a_dead_worker_are_settled_in_every_state(world: World, clock: Clock, status: Status) -> None:
    """Given a worker that is killed while it sends, when the campaign is left alone, paused or cancelled right after,
    then no row is in flight a minute later, and once it does not run it can be deleted.
    """
    in_flight(world)
    step(world, status)
    world.outlive(clock, SETTLED_MS, "w2")
    report = world.report()
    assert (report.in_flight, report.unknown) == (0, 10)
    assert report.status == (Status.COMPLETED if status is not Status.CANCELLED else status)
    assert "died" in world.ledger.reasons("c1", [1])[1]
    world.catalog.delete("c1")
    assert not world.redis.exists(keys.CLAIMS)


def test_a_pause_by_the_provider_settles_them_too(world: World, clock: Clock) -> None:
    run = in_flight(world)
    world.settle(run, [1], "refused", reason="401 no")
    assert world.report().status == Status.PAUSED
    world.outlive(clock, SETTLED_MS, "w2")
    assert (world.report().in_flight, world.report().unknown) == (0, 9)


def test_a_completed_campaign_with_a_dead_claim_can_be_deleted(world: World, clock: Clock) -> None:
    """Given a resent row whose second sender dies and whose first one answers late, then nothing is left of it."""
    in_flight(world, worker_id="w1")
    world.outlive(clock, SETTLED_MS, "w2")
    world.reconciler.decide(world.catalog.get("c1"), UnknownDecision.RESEND)
    world.feed(world.catalog.get("c1"))
    world.tick("w2")
    [again] = world.take()
    world.admit(again, worker_id="w2")
    world.settle(again, again.rows, "accepted", worker_id="w1")
    assert world.catalog.get("c1").status == Status.COMPLETED
    assert world.redis.hlen(keys.of("c1", "flight")) == 10
    world.outlive(clock, SETTLED_MS, "w3")
    assert (world.report().done, world.report().unknown, world.report().in_flight) == (10, 0, 0)
    world.catalog.delete("c1")


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.CANCELLED])
def test_a_row_that_a_live_worker_has_lost_is_settled_too(world: World, clock: Clock, status: Status) -> None:
    """Given a worker that lives and never tells what became of a row, then it is unknown within a minute, and an
    outcome that comes after all is recorded.
    """
    run = in_flight(world)
    step(world, status)
    world.outlive(clock, SETTLED_MS, "w1")
    assert (world.report().in_flight, world.report().unknown) == (0, 10)
    assert "not told the outcome" in world.ledger.reasons("c1", [1])[1]
    world.settle(run, [1], "accepted")
    assert (world.report().done, world.report().unknown) == (1, 9)


def test_a_send_that_takes_as_long_as_it_may_is_left_alone(world: World, clock: Clock) -> None:
    """Given a live worker, then a claim is no older than the longest send and its settling before it is given up."""
    run = in_flight(world)
    world.outlive(clock, 34_000, "w1")
    assert world.report().in_flight == 10
    world.settle(run, run.rows, "accepted")
    assert (world.report().done, world.report().unknown) == (10, 0)


def test_rows_in_flight_from_before_the_upgrade_are_found(world: World, clock: Clock) -> None:
    """Given campaigns that an older version has left with rows in flight, when a worker starts, then they are settled
    too.
    """
    in_flight(world)
    world.controls.pause("c1")
    world.make("c2")
    world.redis.delete(keys.CLAIMS)
    pacer = world.pacer("w2")
    pacer.find_claims()
    assert world.redis.zrange(keys.CLAIMS, 0, -1) == [b"c1"]
    world.outlive(clock, SETTLED_MS, "w2")
    assert (world.report().in_flight, world.report().unknown) == (0, 10)


def test_what_is_no_longer_in_flight_costs_no_look(world: World, clock: Clock) -> None:
    """Given outcomes that came in time, then the campaign is looked at once more and then never."""
    run = in_flight(world)
    assert world.redis.zscore(keys.CLAIMS, "c1") == clock.now_ms + 10_000
    world.settle(run, run.rows, "accepted")
    world.outlive(clock, 11_000, "w1")
    assert not world.redis.exists(keys.CLAIMS)


def test_a_look_at_one_campaign_leaves_the_others_alone(world: World, clock: Clock) -> None:
    """Given one campaign of a dead worker and one of a live one, then only the first one's rows are unknown."""
    in_flight(world, "c1", "dead")
    world.outlive(clock, 5_000, "w1")
    in_flight(world, "c2", "w1")
    world.outlive(clock, 20_000, "w1")
    assert world.report("c1").unknown == 10
    assert (world.report("c2").in_flight, world.report("c2").unknown) == (10, 0)


def test_the_refusal_to_delete_says_what_to_wait_for(world: World) -> None:
    in_flight(world)
    with pytest.raises(WrongState, match="pause or cancel it first"):
        world.catalog.delete("c1")
    world.controls.pause("c1")
    with pytest.raises(WrongState, match=r"now 10; .* by themselves, within a minute"):
        world.catalog.delete("c1")
