"""Dead letters are read once, however many campaigns are reconciled, and stay evidence until their rows have an end."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from campaigns import dead_letters, keys
from campaigns.dead_letters import DeadLetters
from tests.support.ledger_harness import Clock, Exchanges, LedgerHarness, Run


def bury(harness: LedgerHarness, run: Run, letter_id: str, died_at: int, rows: Iterable[int] | None = None) -> None:
    """What Dramatiq does with a message that is rejected."""
    dead = keys.dramatiq_dead("send_email")
    people = [[row, f"r{row}@shop.test", []] for row in (run.rows if rows is None else rows)]
    harness.redis.zadd(dead, {letter_id: died_at})
    message = {"args": [run.campaign_id, run.generation, people], "kwargs": {}}
    harness.redis.hset(f"{dead}.msgs", letter_id, json.dumps(message))


def dead_rows(harness: LedgerHarness, campaign_id: str = "c1") -> set[int]:
    return DeadLetters(harness.redis).rows(harness.catalog.get(campaign_id))


def running(harness: LedgerHarness, campaign_id: str = "c1", rows: int = 10) -> Run:
    campaign = harness.start(campaign_id, rows=rows)
    return Run("run", campaign_id, campaign.generation, [])


def test_each_dead_letter_is_read_once_however_many_campaigns_are_reconciled(
    harness: LedgerHarness, clock: Clock
) -> None:
    runs = [running(harness, f"c{number}") for number in range(20)]
    for number in range(500):
        bury(harness, runs[number % 20], f"m{number}", clock.now_ms - number, rows=[1, 2, 3])
    size = sum(map(len, harness.redis.hvals(keys.dramatiq_dead("send_email") + ".msgs")))
    with Exchanges(harness.redis) as exchanges:
        assert all(dead_rows(harness, run.campaign_id) == {1, 2, 3} for run in runs)
    assert exchanges.answered_bytes < 2 * size
    # and those that have come since, whichever campaign is reconciled first
    bury(harness, runs[7], "new", clock.now_ms + 5, rows=[4])
    dead_rows(harness, "c1")
    assert dead_rows(harness, "c7") == {1, 2, 3, 4}


@pytest.mark.parametrize("letters", [1, 3, 4, 5, 11])
def test_all_are_read_where_many_have_the_same_time(
    harness: LedgerHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch, letters: int
) -> None:
    monkeypatch.setattr(dead_letters, "_PAGE", 4)
    run = running(harness, rows=30)
    for number in range(letters):
        bury(harness, run, f"a{number}", clock.now_ms, rows=[number + 1])
        bury(harness, run, f"b{number}", clock.now_ms + number // 3, rows=[number + 12])
    assert dead_rows(harness) == {*range(1, letters + 1), *range(12, 12 + letters)}


def test_one_that_a_slow_clock_has_stamped_is_found_a_little_later(harness: LedgerHarness, clock: Clock) -> None:
    run = running(harness)
    bury(harness, run, "first", clock.now_ms, rows=[1])
    assert dead_rows(harness) == {1}
    bury(harness, run, "late", clock.now_ms - 40_000, rows=[2])
    clock.advance(30_000)
    assert dead_rows(harness) == {1, 2}


def test_rows_with_an_end_and_letters_of_another_list_are_none(harness: LedgerHarness, clock: Clock) -> None:
    run = running(harness)
    (released,) = harness.runs()
    harness.admit(released)
    harness.settle(released, [1], "accepted")
    harness.settle(released, [2], "rejected")
    bury(harness, run, "m1", clock.now_ms, rows=[1, 2, 3, 4])
    bury(harness, Run("x", "c1", "another list", []), "m2", clock.now_ms, rows=[5])
    bury(harness, Run("x", "gone", "g", []), "m3", clock.now_ms, rows=[5])
    harness.redis.zadd(keys.dramatiq_dead("send_email"), {"m4": clock.now_ms, "expired": clock.now_ms})
    harness.redis.hset(keys.dramatiq_dead("send_email") + ".msgs", "m4", "[")
    assert dead_rows(harness) == {3, 4}
    harness.settle(released, [3], "accepted")
    assert dead_rows(harness) == {4}
    assert harness.redis.smembers(keys.of("c1", "dead")) == {b"4"}
    assert not harness.redis.keys("*{gone}*")


def test_what_was_dead_before_the_failed_rows_are_tried_again_is_no_evidence(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given failed rows that are tried again, when one of them is lost then, it is put back and not failed anew by its
    old dead letter.
    """
    harness.start(rows=2)
    (run,) = harness.runs()
    harness.admit(run)
    bury(harness, run, "m1", clock.now_ms)
    harness.settle(run, [1, 2], "rejected")
    assert harness.reconciler.retry_failed(harness.catalog.get("c1")) == 2
    harness.feed(harness.catalog.get("c1"))
    harness.redis.delete(keys.of("c1", "waiting"))
    clock.advance(120_000)
    assert harness.reconciler.reconcile(harness.catalog.get("c1")).repaired == {"lost": 2}
