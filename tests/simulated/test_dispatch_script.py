"""dispatch.lua: pace, fair queueing, lease, and what a round requests of the workers."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from campaigns import keys
from lists.recipient import Recipient
from tests.support.ledger_harness import Clock, LedgerHarness, recipient
from tests.support.lua_settings import setting

BATCH_ROWS = setting("BATCH_ROWS")
LEASE_MS = setting("LEASE_MS")
PARSER_LOST_MS = setting("PARSER_LOST_MS")


def test_batches_carry_up_to_64_recipients_if_nothing_limits_them(harness: LedgerHarness) -> None:
    harness.start(rows=200)
    assert [len(batch.rows) for batch in harness.batches()] == [BATCH_ROWS, BATCH_ROWS, BATCH_ROWS, 8]


def test_batches_are_larger_where_the_campaigns_requests_are(harness: LedgerHarness) -> None:
    """Given a campaign whose emails can be merged, 1,000 per request, then its batches have so many recipients, and one
    call still dispatches a bounded number of them.
    """
    harness.slots = 30
    campaign = harness.make("c1", rows=12_000)
    harness.controls.start("c1")
    for number, first_row in enumerate((1, 6_001)):
        rows = range(first_row, first_row + 6_000)
        people = [recipient(row) for row in rows]
        harness.ledger.prefetch("c1", campaign.list_version, number, rows[-1], people, batch_rows=1000)
    first = harness.dispatch()
    assert (first.dispatched, first.wait_ms) == (9_000, 0)
    assert harness.dispatch().dispatched == 3_000
    batches = harness.take()
    assert [len(batch.rows) for batch in batches] == [1000] * 12
    grant = harness.admit(batches[0])
    assert len(grant.granted) == 1000
    assert set(harness.settle(batches[0], sorted(grant.granted), "accepted")) == {"done"}


def test_the_rows_are_dispatched_in_order_each_once(harness: LedgerHarness) -> None:
    harness.start(rows=200)
    assert [row for batch in harness.batches() for row in batch.rows] == list(range(1, 201))


def test_the_queue_is_never_longer_than_the_workers_slots(harness: LedgerHarness) -> None:
    harness.slots = 2
    harness.start(rows=1000)
    assert len(harness.batches()) == 2
    harness.dispatch()
    assert harness.redis.llen(keys.dramatiq_queue("send_email")) == 2
    harness.dispatch()
    assert harness.redis.llen(keys.dramatiq_queue("send_email")) == 2


def test_one_call_dispatches_a_bounded_number_of_batches_and_the_next_follows_at_once(harness: LedgerHarness) -> None:
    """Redis answers no other client during a call, so a pause must not wait until the queues of a hundred machines are
    full.
    """
    harness.slots = 300
    campaign = harness.start(rows=200 * BATCH_ROWS)
    while harness.redis.llen(keys.of("c1", "ready")) < 200 * BATCH_ROWS:
        harness.prefetch(campaign)
    first = harness.dispatch()
    assert (first.dispatched, first.wait_ms) == (128 * BATCH_ROWS, 0)
    second = harness.dispatch()
    assert second.dispatched == 72 * BATCH_ROWS
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
        if harness.redis.llen(keys.of("c1", "ready")) < 2000:
            harness.prefetch(campaign)
        for batch in harness.batches():
            grant = harness.admit(batch)
            assert not grant.denied
            harness.settle(batch, sorted(grant.granted), "accepted")
            sent[(clock.now_ms - started) // 1000] += len(grant.granted)
        clock.advance(step_ms)
    assert sum(sent[second] for second in range(60, seconds)) >= 0.99 * (seconds - 60) * tpm / 60
    if tpm >= 600:
        assert max(sent.values()) <= 2 * tpm / 60


def test_campaigns_take_turns_batch_by_batch(harness: LedgerHarness) -> None:
    """Given a large campaign that fills the queue, when a small one starts, then it gets every other batch."""
    harness.slots = 4
    harness.start("large", rows=1000)
    harness.batches()
    harness.start("small", rows=128)
    first = [batch.campaign_id for batch in harness.batches()]
    assert Counter(first) == {"large": 2, "small": 2}


def test_turns_continue_where_the_last_round_ended(harness: LedgerHarness) -> None:
    harness.slots = 1
    for campaign_id in ("a", "b", "c"):
        harness.start(campaign_id, rows=1000)
    order = [batch.campaign_id for _ in range(6) for batch in harness.batches()]
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_only_the_holder_of_the_lease_dispatches(harness: LedgerHarness, clock: Clock) -> None:
    harness.start()
    assert harness.dispatch("w1").leader
    assert not harness.dispatch("w2").leader
    clock.advance(LEASE_MS + 1)
    assert harness.dispatch("w2").leader
    assert not harness.dispatch("w1").leader


def test_a_worker_that_leaves_hands_the_lease_over_at_once(harness: LedgerHarness) -> None:
    harness.dispatch("w1")
    harness.dispatcher("w1").leave()
    assert harness.dispatch("w2").leader
    assert harness.redis.hkeys(keys.SLOTS) == [b"w2"]


def test_nothing_is_dispatched_without_live_workers(harness: LedgerHarness) -> None:
    harness.slots = 0
    harness.start()
    assert harness.batches() == []


def test_requeued_batches_go_before_anything_new(harness: LedgerHarness) -> None:
    harness.slots = 1
    harness.start(rows=200)
    (batch,) = harness.batches()
    harness.controls.pause("c1")
    harness.admit(batch)
    harness.controls.resume("c1")
    (again,) = harness.batches()
    assert again.rows == batch.rows


def test_large_requeued_batches_do_not_hold_up_a_slow_campaign(harness: LedgerHarness, clock: Clock) -> None:
    """Given batches of 64 that a pause has requeued, when the campaign resumes at 60 per minute, then it keeps that
    pace.
    """
    harness.slots = 10
    harness.start(rows=640)
    batches = harness.batches()
    harness.controls.pause("c1")
    for batch in batches:
        harness.admit(batch)
    harness.controls.set_rate("c1", 60)
    harness.controls.resume("c1")
    sent = [0]
    for _ in range(600):
        for batch in harness.batches():
            granted = sorted(harness.admit(batch).granted)
            harness.settle(batch, granted, "accepted")
            sent[-1] += len(granted)
        clock.advance(200)
        sent.append(0)
    assert 115 <= sum(sent) <= 121
    assert max(sent) <= 2


def test_a_start_causes_no_burst(harness: LedgerHarness, clock: Clock) -> None:
    """Given 600 per minute, then there is no burst: neither at the start, nor when the start leaves the window."""
    harness.start(rows=1000, tpm=600)
    harness.slots = 1000
    sent = []
    for _ in range(700):
        sent.append(0)
        for batch in harness.batches():
            sent[-1] += len(harness.admit(batch).granted)
        clock.advance(100)
    assert sum(sent) >= 0.99 * 700
    assert max(sent[n] + sent[n + 1] for n in range(699)) <= 3


def test_prefetching_takes_a_quarter_of_the_threads_and_every_campaign_gets_a_turn(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given more campaigns that start at once than there are threads, then sending continues beside prefetching."""
    harness.slots = 8
    for campaign_id in ("a", "b", "c", "d", "e"):
        harness.make(campaign_id, rows=3000)
        harness.controls.start(campaign_id)
    harness.prefetch(harness.catalog.get("a"))
    harness.ledger.prefetched("a")
    first = harness.dispatch()
    assert list(first.prefetch) == ["b", "c"]
    assert first.wait_ms <= 20
    assert list(harness.dispatch().prefetch) == []
    harness.prefetch(harness.catalog.get("b"))
    harness.ledger.prefetched("b")
    assert list(harness.dispatch().prefetch) == ["d"]
    clock.advance(2001)
    assert list(harness.dispatch().prefetch) == ["e", "a"], "requests without a response no longer count"


def test_campaigns_that_cannot_be_prefetched_do_not_hold_up_the_others(harness: LedgerHarness, clock: Clock) -> None:
    """Given two campaigns whose lists are gone, and room for two prefetchers."""
    harness.slots = 8
    for campaign_id in ("a-gone", "b-gone", "c", "d"):
        harness.make(campaign_id, rows=100_000)
        harness.controls.start(campaign_id)
    asked: Counter[str] = Counter()
    for _ in range(80):  # in steps of half a second
        for campaign_id in harness.dispatch().prefetch:
            asked[campaign_id] += 1
            campaign = harness.catalog.get(campaign_id)
            if campaign_id.endswith("gone"):
                harness.ledger.stalled(campaign_id, campaign.list_version, "gone", 30_000)
            else:
                # The prefetch was quick, and the campaign is below its low-water mark again
                harness.ledger.prefetched(campaign_id)
        clock.advance(500)
    assert asked["a-gone"] == asked["b-gone"] == 2
    assert min(asked["c"], asked["d"]) >= 75


def test_prefetchers_that_hang_leave_their_turn_to_others(harness: LedgerHarness, clock: Clock) -> None:
    """Given two campaigns whose prefetchers never respond, and room for two prefetchers."""
    harness.slots = 8
    for campaign_id in ("a-hangs", "b-hangs", "c"):
        harness.make(campaign_id, rows=100_000)
        harness.controls.start(campaign_id)
    asked: Counter[str] = Counter()
    for _ in range(60):
        for campaign_id in harness.dispatch().prefetch:
            asked[campaign_id] += 1
            if campaign_id == "c":
                harness.ledger.prefetched("c")
        clock.advance(500)
    assert asked["c"] >= 9, "its turn comes every two or three seconds"


def test_a_repeated_round_loses_nothing(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a round whose reply is lost, when the same call is repeated, then each row is in exactly one batch."""
    monkeypatch.setattr("campaigns.dispatcher.uuid4", lambda: UUID(int=7))
    harness.start(rows=300)
    harness.slots = 2
    first = harness.dispatch()
    harness.redis.delete(keys.dramatiq_queue("send_email"))
    second = harness.dispatch()
    assert first.dispatched == second.dispatched == 2 * BATCH_ROWS
    batches = harness.redis.hgetall(keys.of("c1", "batches"))
    rows = [int(row) for batch in batches.values() for row in batch.split(b"|")[2].split(b",")]
    assert sorted(rows) == list(range(1, 4 * BATCH_ROWS + 1))


def test_a_round_requests_prefetching_once_in_a_while(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(rows=1500)
    harness.controls.start("c1")
    assert list(harness.dispatch().prefetch) == ["c1"]
    assert list(harness.dispatch().prefetch) == []
    clock.advance(5001)
    assert list(harness.dispatch().prefetch) == ["c1"]
    harness.prefetch(harness.catalog.get("c1"))
    harness.prefetch(harness.catalog.get("c1"))
    assert list(harness.dispatch().prefetch) == []


def test_a_round_requests_reconciliation_when_it_is_due(harness: LedgerHarness, clock: Clock) -> None:
    harness.start()
    assert list(harness.dispatch().reconcile) == []
    clock.advance(60_001)
    assert list(harness.dispatch().reconcile) == ["c1"]
    assert list(harness.dispatch().reconcile) == []


def test_a_round_requests_another_parser_when_one_has_died(harness: LedgerHarness, clock: Clock) -> None:
    harness.make()
    harness.catalog.accept_list("c1", object_key="new.csv", size=1, filename="", email_column="email")
    assert list(harness.dispatch().parse) == []
    clock.advance(PARSER_LOST_MS)
    assert list(harness.dispatch().parse) == ["c1"]
    assert list(harness.dispatch().parse) == []


def test_a_campaign_without_work_makes_the_next_round_late(harness: LedgerHarness) -> None:
    harness.start()
    harness.drain()
    round_ = harness.dispatch()
    assert (round_.dispatched, round_.idle, round_.wait_ms) == (0, True, 2000)


def test_rounds_are_rare_while_no_campaign_runs_and_the_lease_outlives_them(
    harness: LedgerHarness, clock: Clock
) -> None:
    # Given a campaign under way
    harness.start(rows=2)
    running = harness.dispatch("w1"), harness.dispatch("w2")
    assert [(round_.leader, round_.idle, round_.wait_ms <= 500) for round_ in running] == [
        (True, False, True),
        (False, False, True),
    ]
    # When it is paused
    harness.controls.pause("c1")
    # Then both workers sleep
    idle = harness.dispatch("w1"), harness.dispatch("w2")
    assert [(round_.leader, round_.idle, round_.wait_ms) for round_ in idle] == [
        (True, True, 2000),
        (False, True, 2000),
    ]
    # And the worker that dispatches still does so when it wakes
    clock.advance(2500)
    assert (harness.dispatch("w2").leader, harness.dispatch("w1").leader) == (False, True)
    # And when it dies while the campaign runs, another worker takes over soon
    harness.controls.resume("c1")
    harness.dispatch("w1")
    clock.advance(LEASE_MS + 1)
    assert harness.dispatch("w2").leader


def test_batches_are_bounded_in_bytes(harness: LedgerHarness) -> None:
    harness.make("fat", rows=4)
    harness.controls.start("fat")
    fat = harness.catalog.get("fat")
    people = [Recipient(row, f"r{row}@shop.test", ["x" * 200_000]) for row in range(1, 5)]
    harness.ledger.prefetch("fat", fat.list_version, 0, 4, people)
    assert [len(batch.rows) for batch in harness.batches()] == [1, 1, 1, 1]
    assert harness.ledger.cursor("fat")[2:] == (0, 0)
