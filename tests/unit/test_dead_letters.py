"""Dead letters are read once, however many campaigns are reconciled, and stay evidence until their rows have an end."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from campaigns import dead_letters, keys
from campaigns.dead_letters import DeadLetters
from tests.support.ledger_harness import Clock, Exchanges, Run, World


def bury(world: World, run: Run, letter_id: str, died_at: int, rows: Iterable[int] | None = None) -> None:
    """What Dramatiq does with a message that is rejected."""
    dead = keys.dramatiq_dead("send_email")
    people = [[row, f"r{row}@shop.test", []] for row in (run.rows if rows is None else rows)]
    world.redis.zadd(dead, {letter_id: died_at})
    message = {"args": [run.campaign_id, run.generation, people], "kwargs": {}}
    world.redis.hset(f"{dead}.msgs", letter_id, json.dumps(message))


def dead_rows(world: World, campaign_id: str = "c1") -> set[int]:
    return DeadLetters(world.redis).rows(world.catalog.get(campaign_id))


def running(world: World, campaign_id: str = "c1", rows: int = 10) -> Run:
    campaign = world.start(campaign_id, rows=rows)
    return Run("run", campaign_id, campaign.generation, [])


def test_each_dead_letter_is_read_once_however_many_campaigns_are_reconciled(world: World, clock: Clock) -> None:
    runs = [running(world, f"c{number}") for number in range(20)]
    for number in range(500):
        bury(world, runs[number % 20], f"m{number}", clock.now_ms - number, rows=[1, 2, 3])
    size = sum(map(len, world.redis.hvals(keys.dramatiq_dead("send_email") + ".msgs")))
    with Exchanges(world.redis) as exchanges:
        assert all(dead_rows(world, run.campaign_id) == {1, 2, 3} for run in runs)
    assert exchanges.answered_bytes < 2 * size
    # and those that have come since, whoever is reconciled first
    bury(world, runs[7], "new", clock.now_ms + 5, rows=[4])
    dead_rows(world, "c1")
    assert dead_rows(world, "c7") == {1, 2, 3, 4}


@pytest.mark.parametrize("letters", [1, 3, 4, 5, 11])
def test_all_are_read_where_many_have_the_same_time(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch, letters: int
) -> None:
    monkeypatch.setattr(dead_letters, "_PAGE", 4)
    run = running(world, rows=30)
    for number in range(letters):
        bury(world, run, f"a{number}", clock.now_ms, rows=[number + 1])
        bury(world, run, f"b{number}", clock.now_ms + number // 3, rows=[number + 12])
    assert dead_rows(world) == {*range(1, letters + 1), *range(12, 12 + letters)}


def test_one_that_a_slow_clock_has_stamped_is_found_a_little_later(world: World, clock: Clock) -> None:
    run = running(world)
    bury(world, run, "first", clock.now_ms, rows=[1])
    assert dead_rows(world) == {1}
    bury(world, run, "late", clock.now_ms - 40_000, rows=[2])
    clock.advance(30_000)
    assert dead_rows(world) == {1, 2}


def test_rows_with_an_end_and_letters_of_another_list_are_none(world: World, clock: Clock) -> None:
    run = running(world)
    (released,) = world.runs()
    world.admit(released)
    world.settle(released, [1], "accepted")
    world.settle(released, [2], "rejected")
    bury(world, run, "m1", clock.now_ms, rows=[1, 2, 3, 4])
    bury(world, Run("x", "c1", "another list", []), "m2", clock.now_ms, rows=[5])
    bury(world, Run("x", "gone", "g", []), "m3", clock.now_ms, rows=[5])
    world.redis.zadd(keys.dramatiq_dead("send_email"), {"m4": clock.now_ms, "expired": clock.now_ms})
    world.redis.hset(keys.dramatiq_dead("send_email") + ".msgs", "m4", "[")
    assert dead_rows(world) == {3, 4}
    world.settle(released, [3], "accepted")
    assert dead_rows(world) == {4}
    assert world.redis.smembers(keys.of("c1", "dead")) == {b"4"}
    assert not world.redis.keys("*{gone}*")


def test_what_was_dead_before_the_failed_rows_are_tried_again_is_no_evidence(world: World, clock: Clock) -> None:
    """Given failed rows that are tried again, when one of them is lost then, it is put back and not failed anew by its
    old dead letter.
    """
    world.start(rows=2)
    (run,) = world.runs()
    world.admit(run)
    bury(world, run, "m1", clock.now_ms)
    world.settle(run, [1, 2], "rejected")
    assert world.reconciler.retry_failed(world.catalog.get("c1")) == 2
    world.feed(world.catalog.get("c1"))
    world.redis.delete(keys.of("c1", "waiting"))
    clock.advance(120_000)
    assert world.reconciler.reconcile(world.catalog.get("c1")).repaired == {"lost": 2}
