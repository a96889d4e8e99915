"""RETENTION_DAYS: what is removed, and what stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from api.uploads.janitor import Janitor
from campaigns import keys
from campaigns.errors import UnknownCampaign
from tests.support.app_harness import AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def swept(app: AppHarness, days: int | None, later: timedelta) -> int:
    janitor = Janitor(app.redis, app.harness.catalog, app.store, days)
    return janitor.sweep(datetime.now(UTC) + later).expired


def test_the_data_of_a_campaign_go_so_many_days_after_its_end(app: AppHarness) -> None:
    # Given a campaign that is completed, with a list and a report in the store
    app.ready()
    app.web.post("/campaigns/c1/start")
    app.harness.drain()
    assert app.store.objects
    # When less than the time of retention has passed, or there is none
    assert swept(app, 30, timedelta(days=29)) == 0
    assert swept(app, None, timedelta(days=3000)) == 0
    assert app.harness.catalog.get("c1").status == "completed"
    # Then it stays; and goes with all its keys and objects when it has passed
    assert swept(app, 30, timedelta(days=31)) == 1
    with pytest.raises(UnknownCampaign):
        app.harness.catalog.get("c1")
    assert not [key for key in app.redis.keys("*") if b"{c1}" in key]
    assert not app.store.objects
    [entry] = app.web.get("/history").json()["history"]
    assert (entry["event"], entry["by"], entry["details"]) == ("campaign_expired", "system", {"campaign": "c1"})


@pytest.mark.parametrize("steps", [(), ("start",), ("start", "pause")])
def test_a_campaign_that_is_not_over_stays(app: AppHarness, steps: tuple[str, ...]) -> None:
    app.ready()
    for step in steps:
        app.web.post(f"/campaigns/c1/{step}")
    assert swept(app, 1, timedelta(days=3000)) == 0
    app.harness.catalog.get("c1")


def test_a_campaign_that_runs_again_meanwhile_stays(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an expired campaign that a client makes run again right before the janitor removes it
    app.ready()
    app.web.post("/campaigns/c1/cancel")
    real = app.store.list_objects

    def reopened(prefix: str) -> object:
        app.redis.hset(keys.campaign("c1"), "status", "paused")
        return real(prefix)

    monkeypatch.setattr(app.store, "list_objects", reopened)
    # When it sweeps, then nothing is removed
    assert swept(app, 1, timedelta(days=2)) == 0
    assert app.harness.catalog.get("c1").status == "paused"
