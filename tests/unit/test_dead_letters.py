"""Each dead letter is read once, however many campaigns are reconciled, and stays evidence until its rows have
an end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from campaigns import dead_letters, keys
from campaigns.dead_letters import DeadLetters
from tests.support.ledger_harness import Batch, Clock, Exchanges, LedgerHarness


def record_dead_letter(
    harness: LedgerHarness, batch: Batch, letter_id: str, died_at: int, rows: Iterable[int] | None = None
) -> None:
    """Store a message as Dramatiq does when it rejects one."""
    dead = keys.dramatiq_dead("send_email")
    people = [[row, f"r{row}@shop.test", []] for row in (batch.rows if rows is None else rows)]
    harness.redis.zadd(dead, {letter_id: died_at})
    message = {"args": [batch.campaign_id, batch.list_version, people], "kwargs": {}}
    harness.redis.hset(f"{dead}.msgs", letter_id, json.dumps(message))


def dead_rows(harness: LedgerHarness, campaign_id: str = "c1") -> set[int]:
    return DeadLetters(harness.redis).rows(harness.catalog.get(campaign_id))


def running(harness: LedgerHarness, campaign_id: str = "c1", rows: int = 10) -> Batch:
    campaign = harness.start(campaign_id, rows=rows)
    return Batch("batch", campaign_id, campaign.list_version, [])


def test_each_dead_letter_is_read_once_however_many_campaigns_are_reconciled(
    harness: LedgerHarness, clock: Clock
) -> None:
    batches = [running(harness, f"c{number}") for number in range(20)]
    for number in range(500):
        record_dead_letter(harness, batches[number % 20], f"m{number}", clock.now_ms - number, rows=[1, 2, 3])
    size = sum(map(len, harness.redis.hvals(keys.dramatiq_dead("send_email") + ".msgs")))
    with Exchanges(harness.redis) as exchanges:
        assert all(dead_rows(harness, batch.campaign_id) == {1, 2, 3} for batch in batches)
    assert exchanges.answered_bytes < 2 * size
    # And a later dead letter is found too, whichever campaign is reconciled first
    record_dead_letter(harness, batches[7], "new", clock.now_ms + 5, rows=[4])
    dead_rows(harness, "c1")
    assert dead_rows(harness, "c7") == {1, 2, 3, 4}


@pytest.mark.parametrize("letters", [1, 3, 4, 5, 11])
def test_all_dead_letters_are_read_even_if_many_have_the_same_time(
    harness: LedgerHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch, letters: int
) -> None:
    monkeypatch.setattr(dead_letters, "_PAGE", 4)
    batch = running(harness, rows=30)
    for number in range(letters):
        record_dead_letter(harness, batch, f"a{number}", clock.now_ms, rows=[number + 1])
        record_dead_letter(harness, batch, f"b{number}", clock.now_ms + number // 3, rows=[number + 12])
    assert dead_rows(harness) == {*range(1, letters + 1), *range(12, 12 + letters)}


def test_a_dead_letter_stamped_by_a_slow_clock_is_found_a_little_later(harness: LedgerHarness, clock: Clock) -> None:
    batch = running(harness)
    record_dead_letter(harness, batch, "first", clock.now_ms, rows=[1])
    assert dead_rows(harness) == {1}
    record_dead_letter(harness, batch, "late", clock.now_ms - 40_000, rows=[2])
    clock.advance(30_000)
    assert dead_rows(harness) == {1, 2}


def test_rows_with_an_end_and_dead_letters_of_another_list_are_ignored(harness: LedgerHarness, clock: Clock) -> None:
    batch = running(harness)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "rejected")
    record_dead_letter(harness, batch, "m1", clock.now_ms, rows=[1, 2, 3, 4])
    record_dead_letter(harness, Batch("x", "c1", "another list", []), "m2", clock.now_ms, rows=[5])
    record_dead_letter(harness, Batch("x", "gone", "g", []), "m3", clock.now_ms, rows=[5])
    harness.redis.zadd(keys.dramatiq_dead("send_email"), {"m4": clock.now_ms, "expired": clock.now_ms})
    harness.redis.hset(keys.dramatiq_dead("send_email") + ".msgs", "m4", "[")
    assert dead_rows(harness) == {3, 4}
    harness.settle(batch, [3], "accepted")
    assert dead_rows(harness) == {4}
    assert harness.redis.smembers(keys.of("c1", "dead")) == {b"4"}
    assert not harness.redis.keys("*{gone}*")


def test_dead_letters_from_before_a_retry_of_the_failed_rows_are_no_evidence(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given failed rows that are retried, when one of them is lost, then it is refed and its old dead letter does not
    fail it again.
    """
    harness.start(rows=2)
    (batch,) = harness.batches()
    harness.admit(batch)
    record_dead_letter(harness, batch, "m1", clock.now_ms)
    harness.settle(batch, [1, 2], "rejected")
    assert harness.reconciler.retry_failed(harness.catalog.get("c1")) == 2
    harness.prefetch(harness.catalog.get("c1"))
    harness.redis.delete(keys.of("c1", "ready"))
    clock.advance(120_000)
    assert harness.reconciler.reconcile(harness.catalog.get("c1")).repaired == {"lost": 2}
