"""A campaign with a key that holds a value of the wrong type is paused, and no other campaign waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import dramatiq
import pytest
from redis import Redis, RedisError, ResponseError

from campaigns import keys, settler as module
from campaigns.ledger import Group, Settlement
from campaigns.settler import WAITS_FOR_REDIS, BatchProgress, Settler
from middleware.admission import Admission, Requeued
from tests.support.ledger_harness import Batch, LedgerHarness
from tests.support.lua_settings import change_setting
from tests.support.waiting import until

WORDS = "Redis refuses this campaign: WRONGTYPE Operation against a key holding the wrong kind of value"
#: The keys of a campaign that settling writes.
SETTLED = ("progress", "in_flight", "done", "failed", "unknown", "reasons", "requeued", "breaker", "failing")


@pytest.fixture
def harness(redis_client: Redis) -> LedgerHarness:
    return LedgerHarness(redis_client)


def break_key(harness: LedgerHarness, name: str, campaign_id: str = "ill") -> None:
    """Put a stream there, since none of the keys is a stream."""
    harness.redis.delete(keys.of(campaign_id, name))
    harness.redis.xadd(keys.of(campaign_id, name), {"not": "what it should be"})


def claimed(harness: LedgerHarness) -> dict[str, Batch]:
    """A batch of each of two campaigns, both claimed and on their way to the provider."""
    for campaign_id in ("ill", "well"):
        harness.start(campaign_id, rows=3)
    batches = {batch.campaign_id: batch for batch in harness.batches()}
    for batch in batches.values():
        assert sorted(harness.admit(batch).granted) == [1, 2, 3]
    return batches


def settle(harness: LedgerHarness, batches: dict[str, Batch], kind: str) -> dict[str, list[str]]:
    """Settle all rows of the batches with a new settler; return their verdicts."""

    async def run_all() -> dict[str, list[str]]:
        settler = Settler(
            harness.ledger,
            "w1",
            asyncio.get_running_loop(),
            threading.Event(),
            completed=lambda _: None,
            log=lambda _: None,
        )
        progress = {name: BatchProgress(name, batch.list_version, len(batch.rows)) for name, batch in batches.items()}
        for name, batch in batches.items():
            for row in batch.rows:
                settler.settle(progress[name], [Settlement(row, kind, "as the test says", None, b"")], {})
        async with asyncio.timeout(30):
            await asyncio.gather(*(one.ended for one in progress.values()))
        return {name: [one.verdicts[row] for row in (1, 2, 3)] for name, one in progress.items()}

    return asyncio.run(run_all())


def unknown(harness: LedgerHarness) -> list[bytes]:
    found: list[bytes] = harness.redis.zrange(keys.of("ill", "unknown"), 0, -1)
    return found


@pytest.mark.parametrize("name", ["done", "reasons", "requeued"])
@pytest.mark.parametrize("kind", ["accepted", "rejected"])
def test_a_refused_campaign_is_paused_and_given_up_and_the_other_is_settled_at_once(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    give_up, may_give_up = harness.ledger.give_up, threading.Event()
    monkeypatch.setattr(module, "REFUSED_S", 0.1)
    monkeypatch.setattr(harness.ledger, "give_up", lambda *args: may_give_up.wait(30) and give_up(*args))
    batches = claimed(harness)
    break_key(harness, name)
    # When the outcomes of both come together
    verdicts = settle(harness, batches, kind)
    # Then
    assert verdicts == {"ill": [WAITS_FOR_REDIS] * 3, "well": ["done" if kind == "accepted" else "failed"] * 3}
    assert harness.report("well").status == "completed"
    report = harness.report("ill")
    assert (report.status, report.reason, report.in_flight) == ("paused", WORDS, 3)
    may_give_up.set()
    # And after a while its rows are unknown, with what is known of them
    until(lambda: len(unknown(harness)) == 3, "unknown rows")
    assert (harness.report("ill").in_flight, harness.report("ill").unknown) == (0, 3)
    if name != "reasons":
        assert harness.ledger.reasons("ill", [1])[1].startswith(f"{kind}: as the test says; Redis refuses")


def test_rows_that_cannot_become_unknown_keep_their_claim_until_the_key_is_mended(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = claimed(harness)
    break_key(harness, "unknown")
    group = Group("ill", batches["ill"].list_version, [Settlement(row, "accepted", "", None, b"") for row in (1, 2, 3)])
    assert harness.ledger.give_up("w1", group, "") == (0, 3)
    assert harness.redis.hlen(keys.of("ill", "in_flight")) == 3
    # Also if they are reconciled after their worker's death
    harness.redis.zrem(keys.WORKERS, "w1")
    change_setting(monkeypatch, "WORKER_DEAD_MS", -1)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        harness.reconciler.reconcile(harness.catalog.get("ill"))
    assert harness.redis.hlen(keys.of("ill", "in_flight")) == 3
    # When an operator removes that key
    harness.redis.delete(keys.of("ill", "unknown"))
    harness.reconciler.reconcile(harness.catalog.get("ill"))
    # Then the rows are unknown, and none of them is sent again
    assert harness.report("ill").unknown == 3
    assert harness.drain("ill") == []


@pytest.mark.parametrize("name", SETTLED)
@pytest.mark.parametrize("kind", ["accepted", "rejected", "unknown", "unavailable"])
def test_a_refused_settlement_changes_nothing(harness: LedgerHarness, name: str, kind: str) -> None:
    """A row whose claim is gone without an outcome would be sent again, so a settlement takes no step before all of its
    steps are possible.
    """
    batch = claimed(harness)["ill"]
    break_key(harness, name)
    before = harness.redis.dump(keys.of("ill", "in_flight")), harness.redis.dump(keys.of("ill", "done"))
    [answer] = harness.ledger.settle(
        "w1", [Group("ill", batch.list_version, [Settlement(1, kind, "", None, b"0|[1]")])]
    )
    assert isinstance(answer, RedisError)
    assert (harness.redis.dump(keys.of("ill", "in_flight")), harness.redis.dump(keys.of("ill", "done"))) == before


@pytest.mark.parametrize("name", ["ready", "requeued", "held", "batches", "window", "progress", "breaker", "campaign"])
def test_a_campaign_whose_dispatch_or_admission_is_refused_is_paused_alone(harness: LedgerHarness, name: str) -> None:
    for campaign_id in ("ill", "well"):
        harness.start(campaign_id, rows=3)
    break_key(harness, name)
    # When both are dispatched, and admitted, since for some keys only admission fails
    dispatched = harness.batches()
    # Then the healthy one continues, and the other does not run any more
    assert "well" in {batch.campaign_id for batch in dispatched}
    for batch in dispatched:
        refused = _admitted(harness, batch)
        assert refused == [] or batch.campaign_id == "ill"
    if name != "held":  # read only if something is held
        assert harness.redis.smembers(keys.RUNNING) == {b"well"}
        if name != "campaign":
            state: Sequence[bytes] = harness.redis.hmget(keys.campaign("ill"), "status", "reason")
            assert [part.decode() for part in state] == ["paused", WORDS]


@pytest.mark.parametrize("name", ["done", "in_flight", "unknown"])
def test_a_refused_admission_occupies_no_thread(harness: LedgerHarness, name: str) -> None:
    harness.start("ill", rows=3)
    [batch] = harness.batches()
    break_key(harness, name)
    assert _admitted(harness, batch) == ["Requeued"]
    state: Sequence[bytes] = harness.redis.hmget(keys.campaign("ill"), "status", "reason")
    assert [part.decode() for part in state] == ["paused", WORDS]


def _admitted(harness: LedgerHarness, batch: Batch) -> list[str]:
    """What the middleware raises about a message."""
    message: Any = dramatiq.Message(
        "send_email", "SendEmail", (batch.campaign_id, batch.list_version, batch.recipients), {}, {}, batch.batch_id
    )
    broker: Any = None
    try:
        Admission(harness.ledger, "w1", threading.Event()).before_process_message(
            broker, dramatiq.MessageProxy(message)
        )
    except Requeued as error:
        return [type(error).__name__]
    return []
