"""The duty of the web processes: the journal goes to the object store, and what Redis has lost comes back."""

from __future__ import annotations

import asyncio
import csv
import io

import pytest
from redis import Redis

from api import lifecycle, suppression_flush
from api.suppression_flush import SuppressionDuty
from campaigns import keys
from consent.records import Reason
from storage import StoreError
from tests.support.app_harness import AppHarness
from tests.support.suppressions import suppressions


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def duty(app: AppHarness) -> SuppressionDuty:
    return SuppressionDuty(app.redis, suppressions(app.redis, app.store))


def stored(app: AppHarness) -> bytes:
    return b"".join(data for key, data in app.store.objects.items() if "/segments/" in key)


def test_the_journal_goes_to_the_store_once_per_minute(app: AppHarness) -> None:
    """Given two processes, then one of them moves the journal, and the next minute another one may."""
    app.web.post("/suppressions", {"emails": ["ann@shop.test"]})
    assert stored(app) == b""
    assert duty(app).round_if_due()
    assert b"ann@shop.test" in stored(app)
    assert not duty(app).round_if_due()
    assert 0 < int(app.redis.pttl(keys.SUPPRESSIONS_LEASE)) <= suppression_flush.EVERY_MS
    app.redis.delete(keys.SUPPRESSIONS_LEASE)
    assert duty(app).round_if_due()


def test_while_the_store_is_away_the_journal_waits(app: AppHarness) -> None:
    app.web.post("/suppressions", {"emails": ["ann@shop.test"]})
    app.store.away = True
    with pytest.raises(StoreError):
        duty(app).round_if_due()
    assert app.redis.llen(keys.SUPPRESSIONS_JOURNAL) == 1
    app.store.away = False
    app.redis.delete(keys.SUPPRESSIONS_LEASE)
    duty(app).round_if_due()
    assert b"ann@shop.test" in stored(app)
    assert app.redis.llen(keys.SUPPRESSIONS_JOURNAL) == 0


def test_a_round_puts_back_what_redis_has_lost(app: AppHarness) -> None:
    app.web.post("/suppressions", {"emails": ["ann@shop.test"], "reason": "bounced"})
    duty(app).round_if_due()
    app.redis.flushall()
    duty(app).round_if_due()
    assert app.web.get("/suppressions?email=ann@shop.test").json()["all_email"]


@pytest.mark.parametrize("dry", [True, False])
def test_no_list_is_read_while_redis_lacks_the_suppression_list(app: AppHarness, dry: bool) -> None:
    """Given a Redis that is lost before the duty has looked, then the parser and the dry run restore it first."""
    suppressions(app.redis, app.store).add(["ada@shop.test"], Reason.UNSUBSCRIBED)
    suppressions(app.redis, app.store).flush()
    app.redis.flushall()
    app.make()
    if dry:
        assert app.upload(query="?dry_run=true").json()["reasons"] == {"suppressed": 1}
        return
    app.upload()
    app.parse()
    body = app.web.get("/campaigns/c1/recipients.csv?state=rejected").body.decode()
    assert [(row["email"], row["reason"]) for row in csv.DictReader(io.StringIO(body))] == [
        ("ada@shop.test", "suppressed")
    ]


def test_the_duty_runs_beside_the_requests(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a round that fails, then the next one does its work."""
    monkeypatch.setattr(suppression_flush, "ASK_S", (0.01, 0.02))
    monkeypatch.setattr(suppression_flush, "EVERY_MS", 1)
    app.web.post("/suppressions", {"emails": ["ann@shop.test"]})
    app.store.away = True
    kept, loops = asyncio.Event(), list[asyncio.AbstractEventLoop]()
    round_if_due = SuppressionDuty.round_if_due

    def watched(self: SuppressionDuty) -> bool:
        try:
            return round_if_due(self)
        finally:
            if b"ann@shop.test" in stored(app):
                loops[0].call_soon_threadsafe(kept.set)
            app.store.away = False

    monkeypatch.setattr(SuppressionDuty, "round_if_due", watched)

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        async with asyncio.timeout(30), lifecycle.lifespan(app.starlette):
            await kept.wait()

    asyncio.run(run())
    assert b"ann@shop.test" in stored(app)
