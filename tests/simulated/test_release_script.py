"""release.lua: pace, turns, lease, and what a tick asks for."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from campaigns import keys
from tests.support.ledger_harness import Clock, LedgerHarness, recipient
from tests.support.lua_settings import setting

RUN_ROWS = setting("RUN_ROWS")
LEASE_MS = setting("LEASE_MS")
PARSER_LOST_MS = setting("PARSER_LOST_MS")


def test_runs_carry_up_to_64_recipients_where_nothing_limits(harness: LedgerHarness) -> None:
    harness.start(rows=200)
    assert [len(run.rows) for run in harness.runs()] == [RUN_ROWS, RUN_ROWS, RUN_ROWS, 8]


def test_the_rows_come_in_order_each_once(harness: LedgerHarness) -> None:
    harness.start(rows=200)
    assert [row for run in harness.runs() for row in run.rows] == list(range(1, 201))


def test_the_queue_is_kept_no_longer_than_the_workers_slots(harness: LedgerHarness) -> None:
    harness.slots = 2
    harness.start(rows=1000)
    assert len(harness.runs()) == 2
    harness.tick()
    assert harness.redis.llen(keys.dramatiq_queue("send_email")) == 2
    harness.tick()
    assert harness.redis.llen(keys.dramatiq_queue("send_email")) == 2


def test_one_call_releases_a_bounded_number_of_runs_and_the_next_follows_at_once(harness: LedgerHarness) -> None:
    """Redis answers no one during a call: a pause does not wait for the queues of a hundred machines to be filled."""
    harness.slots = 300
    campaign = harness.start(rows=200 * RUN_ROWS)
    while harness.redis.llen(keys.of("c1", "waiting")) < 200 * RUN_ROWS:
        harness.feed(campaign)
    first = harness.tick()
    assert (first.released, first.wait_ms) == (128 * RUN_ROWS, 0)
    second = harness.tick()
    assert second.released == 72 * RUN_ROWS
    assert second.wait_ms > 0


@pytest.mark.parametrize(
    ("tpm", "seconds", "step_ms"), [(60, 180, 250), (600, 120, 200), (6000, 120, 200), (30_000, 120, 500)]
)
def test_the_pace_spreads_the_sends_and_uses_99_percent(
    harness: LedgerHarness, clock: Clock, tpm: int, seconds: int, step_ms: int
) -> None:
    """Given a backlog, then every second carries at most twice the mean, and the time after the first minute is
    used.
    """
    harness.slots = 1000
    campaign = harness.start(rows=seconds * tpm // 60 + tpm, tpm=tpm)
    sent: Counter[int] = Counter()
    started = clock.now_ms
    while clock.now_ms < started + seconds * 1000:
        if harness.redis.llen(keys.of("c1", "waiting")) < 2000:
            harness.feed(campaign)
        for run in harness.runs():
            grant = harness.admit(run)
            assert not grant.denied
            harness.settle(run, sorted(grant.granted), "accepted")
            sent[(clock.now_ms - started) // 1000] += len(grant.granted)
        clock.advance(step_ms)
    assert sum(sent[second] for second in range(60, seconds)) >= 0.99 * (seconds - 60) * tpm / 60
    if tpm >= 600:
        assert max(sent.values()) <= 2 * tpm / 60


def test_campaigns_take_turns_run_by_run(harness: LedgerHarness) -> None:
    """Given a large campaign that fills the queue, when a small one starts, then it gets every other run."""
    harness.slots = 4
    harness.start("large", rows=1000)
    harness.runs()
    harness.start("small", rows=128)
    first = [run.campaign_id for run in harness.runs()]
    assert Counter(first) == {"large": 2, "small": 2}


def test_turns_go_on_where_the_last_tick_ended(harness: LedgerHarness) -> None:
    harness.slots = 1
    for campaign_id in ("a", "b", "c"):
        harness.start(campaign_id, rows=1000)
    order = [run.campaign_id for _ in range(6) for run in harness.runs()]
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_only_the_holder_of_the_lease_releases(harness: LedgerHarness, clock: Clock) -> None:
    harness.start()
    assert harness.tick("w1").leader
    assert not harness.tick("w2").leader
    clock.advance(LEASE_MS + 1)
    assert harness.tick("w2").leader
    assert not harness.tick("w1").leader


def test_a_worker_that_leaves_hands_the_lease_over_at_once(harness: LedgerHarness) -> None:
    harness.tick("w1")
    harness.pacer("w1").leave()
    assert harness.tick("w2").leader
    assert harness.redis.hkeys(keys.SLOTS) == [b"w2"]


def test_nothing_is_released_without_workers_that_live(harness: LedgerHarness) -> None:
    harness.slots = 0
    harness.start()
    assert harness.runs() == []


def test_deferred_runs_go_before_anything_new(harness: LedgerHarness) -> None:
    harness.slots = 1
    harness.start(rows=200)
    (run,) = harness.runs()
    harness.controls.pause("c1")
    harness.admit(run)
    harness.controls.resume("c1")
    (again,) = harness.runs()
    assert again.rows == run.rows


def test_large_deferred_runs_do_not_hold_up_a_slow_campaign(harness: LedgerHarness, clock: Clock) -> None:
    """Given runs of 64 deferred by a pause, when it is resumed at 60 a minute, then it keeps that pace."""
    harness.slots = 10
    harness.start(rows=640)
    runs = harness.runs()
    harness.controls.pause("c1")
    for run in runs:
        harness.admit(run)
    harness.controls.set_rate("c1", 60)
    harness.controls.resume("c1")
    sent = [0]
    for _ in range(600):
        for run in harness.runs():
            granted = sorted(harness.admit(run).granted)
            harness.settle(run, granted, "accepted")
            sent[-1] += len(granted)
        clock.advance(200)
        sent.append(0)
    assert 115 <= sum(sent) <= 121
    assert max(sent) <= 2


def test_a_start_is_no_burst(harness: LedgerHarness, clock: Clock) -> None:
    """Given 600 a minute, then nothing comes in a lump: neither at the start, nor when that leaves the window again."""
    harness.start(rows=1000, tpm=600)
    harness.slots = 1000
    sent = []
    for _ in range(700):
        sent.append(0)
        for run in harness.runs():
            sent[-1] += len(harness.admit(run).granted)
        clock.advance(100)
    assert sum(sent) >= 0.99 * 700
    assert max(sent[n] + sent[n + 1] for n in range(699)) <= 3


def test_feeding_takes_a_quarter_of_the_threads_and_everybody_gets_a_turn(harness: LedgerHarness, clock: Clock) -> None:
    """Given more campaigns that start at once than there are threads: sending goes on beside feeding."""
    harness.slots = 8
    for campaign_id in ("a", "b", "c", "d", "e"):
        harness.make(campaign_id, rows=3000)
        harness.controls.start(campaign_id)
    harness.feed(harness.catalog.get("a"))
    harness.ledger.fed("a")
    first = harness.tick()
    assert list(first.feed) == ["b", "c"]
    assert first.wait_ms <= 20
    assert list(harness.tick().feed) == []
    harness.feed(harness.catalog.get("b"))
    harness.ledger.fed("b")
    assert list(harness.tick().feed) == ["d"]
    clock.advance(2001)
    assert list(harness.tick().feed) == ["e", "a"], "those that were asked and did not answer count no more"


def test_campaigns_that_cannot_be_fed_do_not_keep_the_others_from_it(harness: LedgerHarness, clock: Clock) -> None:
    """Given two campaigns whose lists are gone, and room for two feeders."""
    harness.slots = 8
    for campaign_id in ("a-gone", "b-gone", "c", "d"):
        harness.make(campaign_id, rows=100_000)
        harness.controls.start(campaign_id)
    asked: Counter[str] = Counter()
    for _ in range(80):  # in steps of half a second
        for campaign_id in harness.tick().feed:
            asked[campaign_id] += 1
            campaign = harness.catalog.get(campaign_id)
            if campaign_id.endswith("gone"):
                harness.ledger.stalled(campaign_id, campaign.generation, "gone", 30_000)
            else:
                harness.ledger.fed(campaign_id)  # it was quick, and is hungry again
        clock.advance(500)
    assert asked["a-gone"] == asked["b-gone"] == 2
    assert min(asked["c"], asked["d"]) >= 75


def test_feeders_that_hang_leave_their_turn_to_others(harness: LedgerHarness, clock: Clock) -> None:
    """Given two campaigns whose feeders never answer, and room for two feeders."""
    harness.slots = 8
    for campaign_id in ("a-hangs", "b-hangs", "c"):
        harness.make(campaign_id, rows=100_000)
        harness.controls.start(campaign_id)
    asked: Counter[str] = Counter()
    for _ in range(60):
        for campaign_id in harness.tick().feed:
            asked[campaign_id] += 1
            if campaign_id == "c":
                harness.ledger.fed("c")
        clock.advance(500)
    assert asked["c"] >= 9, "its turn comes every two or three seconds"


def test_a_tick_that_is_repeated_loses_nothing(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the answer to a tick is lost, when the same call is made once more, then each row is in just one run."""
    monkeypatch.setattr("campaigns.pacer.uuid4", lambda: UUID(int=7))
    harness.start(rows=300)
    harness.slots = 2
    first = harness.tick()
    harness.redis.delete(keys.dramatiq_queue("send_email"))
    second = harness.tick()
    assert first.released == second.released == 2 * RUN_ROWS
    runs = harness.redis.hgetall(keys.of("c1", "runs"))
    rows = [int(row) for run in runs.values() for row in run.split(b"|")[2].split(b",")]
    assert sorted(rows) == list(range(1, 4 * RUN_ROWS + 1))


def test_a_tick_asks_for_feeding_once_in_a_while(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(rows=1500)
    harness.controls.start("c1")
    assert list(harness.tick().feed) == ["c1"]
    assert list(harness.tick().feed) == []
    clock.advance(5001)
    assert list(harness.tick().feed) == ["c1"]
    harness.feed(harness.catalog.get("c1"))
    harness.feed(harness.catalog.get("c1"))
    assert list(harness.tick().feed) == []


def test_a_tick_asks_for_reconciliation_when_it_is_due(harness: LedgerHarness, clock: Clock) -> None:
    harness.start()
    assert list(harness.tick().reconcile) == []
    clock.advance(60_001)
    assert list(harness.tick().reconcile) == ["c1"]
    assert list(harness.tick().reconcile) == []


def test_a_parser_that_died_is_asked_for_again(harness: LedgerHarness, clock: Clock) -> None:
    harness.make()
    harness.catalog.accept_list("c1", object_key="new.csv", size=1, filename="", email_column="email")
    assert list(harness.tick().parse) == []
    clock.advance(PARSER_LOST_MS)
    assert list(harness.tick().parse) == ["c1"]
    assert list(harness.tick().parse) == []


def test_a_campaign_without_work_costs_a_tick_little_and_the_next_is_not_soon(harness: LedgerHarness) -> None:
    harness.start()
    harness.drain()
    tick = harness.tick()
    assert (tick.released, tick.idle, tick.wait_ms) == (0, True, 2000)


def test_ticks_are_rare_for_leader_and_others_while_no_campaign_runs_and_the_lease_outlives_them(
    harness: LedgerHarness, clock: Clock
) -> None:
    # Given a campaign under way
    harness.start(rows=2)
    running = harness.tick("w1"), harness.tick("w2")
    assert [(tick.leader, tick.idle, tick.wait_ms <= 500) for tick in running] == [
        (True, False, True),
        (False, False, True),
    ]
    # When it is paused
    harness.controls.pause("c1")
    # Then both sleep
    idle = harness.tick("w1"), harness.tick("w2")
    assert [(tick.leader, tick.idle, tick.wait_ms) for tick in idle] == [(True, True, 2000), (False, True, 2000)]
    # And the one that releases does so still when it wakes
    clock.advance(2500)
    assert (harness.tick("w2").leader, harness.tick("w1").leader) == (False, True)
    # And when it dies while the campaign runs, it is followed soon
    harness.controls.resume("c1")
    harness.tick("w1")
    clock.advance(LEASE_MS + 1)
    assert harness.tick("w2").leader


def test_runs_are_bounded_in_bytes(harness: LedgerHarness) -> None:
    harness.make("fat", rows=4)
    harness.controls.start("fat")
    fat = harness.catalog.get("fat")
    people = [recipient(row)._replace(values=["x" * 200_000]) for row in range(1, 5)]
    harness.ledger.feed("fat", fat.generation, 0, 4, people)
    assert [len(run.rows) for run in harness.runs()] == [1, 1, 1, 1]
    assert harness.ledger.cursor("fat")[2:] == (0, 0)
