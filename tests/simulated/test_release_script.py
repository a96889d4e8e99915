"""release.lua: pace, turns, lease, and what a tick asks for."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from campaigns import keys
from campaigns.ledger import RUN_ROWS
from campaigns.pacer import LEASE_MS
from campaigns.parsing import PARSER_LOST_MS
from tests.support.ledger_harness import Clock, World, recipient


def test_runs_carry_up_to_64_recipients_where_nothing_limits(world: World) -> None:
    world.start(rows=200)
    assert [len(run.rows) for run in world.runs()] == [RUN_ROWS, RUN_ROWS, RUN_ROWS, 8]


def test_the_rows_come_in_order_each_once(world: World) -> None:
    world.start(rows=200)
    assert [row for run in world.runs() for row in run.rows] == list(range(1, 201))


def test_the_queue_is_kept_no_longer_than_the_workers_slots(world: World) -> None:
    world.slots = 2
    world.start(rows=1000)
    assert len(world.runs()) == 2
    world.tick()
    assert world.redis.llen(keys.dramatiq_queue("send_email")) == 2
    world.tick()
    assert world.redis.llen(keys.dramatiq_queue("send_email")) == 2


def test_one_call_releases_a_bounded_number_of_runs_and_the_next_follows_at_once(world: World) -> None:
    """Nobody is answered during a call: a pause does not wait for the queues of a hundred machines to be filled."""
    world.slots = 300
    campaign = world.start(rows=200 * RUN_ROWS)
    while world.redis.llen(keys.of("c1", "waiting")) < 200 * RUN_ROWS:
        world.feed(campaign)
    first = world.tick()
    assert (first.released, first.wait_ms) == (128 * RUN_ROWS, 0)
    second = world.tick()
    assert second.released == 72 * RUN_ROWS
    assert second.wait_ms > 0


@pytest.mark.parametrize(
    ("tpm", "seconds", "step_ms"), [(60, 180, 250), (600, 120, 200), (6000, 120, 200), (30_000, 120, 500)]
)
def test_the_pace_spreads_the_sends_and_uses_99_percent(
    world: World, clock: Clock, tpm: int, seconds: int, step_ms: int
) -> None:
    """Given a backlog, then every second carries at most twice the mean, and the time after the first minute is
    used.
    """
    world.slots = 1000
    campaign = world.start(rows=seconds * tpm // 60 + tpm, tpm=tpm)
    sent: Counter[int] = Counter()
    started = clock.now_ms
    while clock.now_ms < started + seconds * 1000:
        if world.redis.llen(keys.of("c1", "waiting")) < 2000:
            world.feed(campaign)
        for run in world.runs():
            grant = world.admit(run)
            assert not grant.denied
            world.settle(run, sorted(grant.granted), "accepted")
            sent[(clock.now_ms - started) // 1000] += len(grant.granted)
        clock.advance(step_ms)
    assert sum(sent[second] for second in range(60, seconds)) >= 0.99 * (seconds - 60) * tpm / 60
    if tpm >= 600:
        assert max(sent.values()) <= 2 * tpm / 60


def test_campaigns_take_turns_run_by_run(world: World) -> None:
    """Given a large campaign that fills the queue, when a small one starts, then it gets every other run."""
    world.slots = 4
    world.start("large", rows=1000)
    world.runs()
    world.start("small", rows=128)
    first = [run.campaign_id for run in world.runs()]
    assert Counter(first) == {"large": 2, "small": 2}


def test_turns_go_on_where_the_last_tick_ended(world: World) -> None:
    world.slots = 1
    for campaign_id in ("a", "b", "c"):
        world.start(campaign_id, rows=1000)
    order = [run.campaign_id for _ in range(6) for run in world.runs()]
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_only_the_holder_of_the_lease_releases(world: World, clock: Clock) -> None:
    world.start()
    assert world.tick("w1").leader
    assert not world.tick("w2").leader
    clock.advance(LEASE_MS + 1)
    assert world.tick("w2").leader
    assert not world.tick("w1").leader


def test_a_worker_that_leaves_hands_the_lease_over_at_once(world: World) -> None:
    world.tick("w1")
    world.pacer("w1").leave()
    assert world.tick("w2").leader
    assert world.redis.hkeys(keys.SLOTS) == [b"w2"]


def test_nothing_is_released_without_workers_that_live(world: World) -> None:
    world.slots = 0
    world.start()
    assert world.runs() == []


def test_deferred_runs_go_before_anything_new(world: World) -> None:
    world.slots = 1
    world.start(rows=200)
    (run,) = world.runs()
    world.controls.pause("c1")
    world.admit(run)
    world.controls.resume("c1")
    (again,) = world.runs()
    assert again.rows == run.rows


def test_large_deferred_runs_do_not_hold_up_a_slow_campaign(world: World, clock: Clock) -> None:
    """Given runs of 64 deferred by a pause, when it is resumed at 60 a minute, then it keeps that pace."""
    world.slots = 10
    world.start(rows=640)
    runs = world.runs()
    world.controls.pause("c1")
    for run in runs:
        world.admit(run)
    world.controls.set_rate("c1", 60)
    world.controls.resume("c1")
    sent = [0]
    for _ in range(600):
        for run in world.runs():
            granted = sorted(world.admit(run).granted)
            world.settle(run, granted, "accepted")
            sent[-1] += len(granted)
        clock.advance(200)
        sent.append(0)
    assert 115 <= sum(sent) <= 121
    assert max(sent) <= 2


def test_a_start_is_no_burst(world: World, clock: Clock) -> None:
    """Given 600 a minute, then nothing comes in a lump: neither at the start, nor when that leaves the window again."""
    world.start(rows=1000, tpm=600)
    world.slots = 1000
    sent = []
    for _ in range(700):
        sent.append(0)
        for run in world.runs():
            sent[-1] += len(world.admit(run).granted)
        clock.advance(100)
    assert sum(sent) >= 0.99 * 700
    assert max(sent[n] + sent[n + 1] for n in range(699)) <= 3


def test_feeding_takes_a_quarter_of_the_threads_and_everybody_gets_a_turn(world: World, clock: Clock) -> None:
    """Given more campaigns that start at once than there are threads: sending goes on beside feeding."""
    world.slots = 8
    for campaign_id in ("a", "b", "c", "d", "e"):
        world.make(campaign_id, rows=3000)
        world.controls.start(campaign_id)
    world.feed(world.catalog.get("a"))
    world.ledger.fed("a")
    first = world.tick()
    assert list(first.feed) == ["b", "c"]
    assert first.wait_ms <= 20
    assert list(world.tick().feed) == []
    world.feed(world.catalog.get("b"))
    world.ledger.fed("b")
    assert list(world.tick().feed) == ["d"]
    clock.advance(2001)
    assert list(world.tick().feed) == ["e", "a"], "those that were asked and did not answer count no more"


def test_campaigns_that_cannot_be_fed_do_not_keep_the_others_from_it(world: World, clock: Clock) -> None:
    """Given two campaigns whose lists are gone, and room for two feeders."""
    world.slots = 8
    for campaign_id in ("a-gone", "b-gone", "c", "d"):
        world.make(campaign_id, rows=100_000)
        world.controls.start(campaign_id)
    asked: Counter[str] = Counter()
    for _ in range(80):  # in steps of half a second
        for campaign_id in world.tick().feed:
            asked[campaign_id] += 1
            campaign = world.catalog.get(campaign_id)
            if campaign_id.endswith("gone"):
                world.ledger.stalled(campaign_id, campaign.generation, "gone", 30_000)
            else:
                world.ledger.fed(campaign_id)  # it was quick, and is hungry again
        clock.advance(500)
    assert asked["a-gone"] == asked["b-gone"] == 2
    assert min(asked["c"], asked["d"]) >= 75


def test_feeders_that_hang_leave_their_turn_to_others(world: World, clock: Clock) -> None:
    """Given two campaigns whose feeders never answer, and room for two feeders."""
    world.slots = 8
    for campaign_id in ("a-hangs", "b-hangs", "c"):
        world.make(campaign_id, rows=100_000)
        world.controls.start(campaign_id)
    asked: Counter[str] = Counter()
    for _ in range(60):
        for campaign_id in world.tick().feed:
            asked[campaign_id] += 1
            if campaign_id == "c":
                world.ledger.fed("c")
        clock.advance(500)
    assert asked["c"] >= 9, "its turn comes every two or three seconds"


def test_a_tick_that_is_repeated_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the answer to a tick is lost, when the same call is made once more, then each row is in just one run."""
    monkeypatch.setattr("campaigns.pacer.uuid4", lambda: UUID(int=7))
    world.start(rows=300)
    world.slots = 2
    first = world.tick()
    world.redis.delete(keys.dramatiq_queue("send_email"))
    second = world.tick()
    assert first.released == second.released == 2 * RUN_ROWS
    runs = world.redis.hgetall(keys.of("c1", "runs"))
    rows = [int(row) for run in runs.values() for row in run.split(b"|")[2].split(b",")]
    assert sorted(rows) == list(range(1, 4 * RUN_ROWS + 1))


def test_a_tick_asks_for_feeding_once_in_a_while(world: World, clock: Clock) -> None:
    world.make(rows=1500)
    world.controls.start("c1")
    assert list(world.tick().feed) == ["c1"]
    assert list(world.tick().feed) == []
    clock.advance(5001)
    assert list(world.tick().feed) == ["c1"]
    world.feed(world.catalog.get("c1"))
    world.feed(world.catalog.get("c1"))
    assert list(world.tick().feed) == []


def test_a_tick_asks_for_reconciliation_when_it_is_due(world: World, clock: Clock) -> None:
    world.start()
    assert list(world.tick().reconcile) == []
    clock.advance(60_001)
    assert list(world.tick().reconcile) == ["c1"]
    assert list(world.tick().reconcile) == []


def test_a_parser_that_died_is_asked_for_again(world: World, clock: Clock) -> None:
    world.make()
    world.catalog.accept_list("c1", object_key="new.csv", size=1, filename="", email_column="email")
    assert list(world.tick().parse) == []
    clock.advance(PARSER_LOST_MS)
    assert list(world.tick().parse) == ["c1"]
    assert list(world.tick().parse) == []


def test_a_campaign_without_work_costs_a_tick_little_and_the_next_is_not_soon(world: World) -> None:
    world.start()
    world.drain()
    tick = world.tick()
    assert (tick.released, tick.idle, tick.wait_ms) == (0, True, 2000)


def test_ticks_are_rare_for_leader_and_others_while_no_campaign_runs_and_the_lease_outlives_them(
    world: World, clock: Clock
) -> None:
    # Given a campaign under way
    world.start(rows=2)
    running = world.tick("w1"), world.tick("w2")
    assert [(tick.leader, tick.idle, tick.wait_ms <= 500) for tick in running] == [
        (True, False, True),
        (False, False, True),
    ]
    # When it is paused
    world.controls.pause("c1")
    # Then both sleep
    idle = world.tick("w1"), world.tick("w2")
    assert [(tick.leader, tick.idle, tick.wait_ms) for tick in idle] == [(True, True, 2000), (False, True, 2000)]
    # And the one that releases does so still when it wakes
    clock.advance(2500)
    assert (world.tick("w2").leader, world.tick("w1").leader) == (False, True)
    # And when it dies while the campaign runs, it is followed soon
    world.controls.resume("c1")
    world.tick("w1")
    clock.advance(LEASE_MS + 1)
    assert world.tick("w2").leader


def test_runs_are_bounded_in_bytes(world: World) -> None:
    world.make("fat", rows=4)
    world.controls.start("fat")
    fat = world.catalog.get("fat")
    people = [recipient(row)._replace(values=["x" * 200_000]) for row in range(1, 5)]
    world.ledger.feed("fat", fat.generation, 0, 4, people)
    assert [len(run.rows) for run in world.runs()] == [1, 1, 1, 1]
    assert world.ledger.cursor("fat")[2:] == (0, 0)
