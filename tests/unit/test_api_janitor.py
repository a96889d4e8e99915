"""The janitor removes abandoned uploads and objects that no campaign uses, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from api.uploads.janitor import Janitor, Swept
from campaigns import keys
from tests.support.app_harness import CSV, AppHarness


@pytest.fixture
def now() -> datetime:
    """The time at which the test starts."""
    return datetime.now(UTC)


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    made = AppHarness(fake_redis)
    made.make()
    return made


def janitor(app: AppHarness) -> Janitor:
    return Janitor(app.redis, app.harness.catalog, app.store)


def begin(app: AppHarness) -> str:
    return str(app.web.post("/campaigns/c1/upload/init", {"size": len(CSV)}).json()["upload_id"])


def age_everything(app: AppHarness) -> None:
    app.store.modified = dict.fromkeys(app.store.objects, datetime.now(UTC) - timedelta(days=2))


def test_an_upload_is_removed_once_it_cannot_be_resumed_any_more(app: AppHarness, now: datetime) -> None:
    upload_id = begin(app)
    # Within the 7 days in which it gets fresh addresses, and the hour after them, the upload stays
    assert janitor(app).sweep(now + timedelta(days=7, minutes=59)) == Swept(0, 0)
    assert upload_id in app.store.uploads
    # Then the janitor removes it and its record
    assert janitor(app).sweep(now + timedelta(days=7, hours=1, minutes=1)) == Swept(1, 0)
    assert app.store.uploads == {}
    assert app.harness.catalog.uploads("c1") == []
    assert app.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id}).status == 404


def test_an_upload_without_a_record_is_kept_as_long_as_addresses_can_be_valid(app: AppHarness, now: datetime) -> None:
    # Given an upload whose init died before it wrote to Redis
    upload_id = app.store.create_upload("campaigns/c1/abc/list.csv")
    assert janitor(app).sweep(now + timedelta(days=7)) == Swept(0, 0)
    assert janitor(app).sweep(now + timedelta(days=7, hours=1, minutes=1)) == Swept(1, 0)
    assert upload_id not in app.store.uploads


def test_objects_that_a_campaign_uses_stay_however_old(app: AppHarness, now: datetime) -> None:
    app.upload()
    app.parse()
    age_everything(app)
    assert janitor(app).sweep(now) == Swept(0, 0)
    assert len(app.store.objects) == 2  # the list and its report


def test_unused_objects_are_removed_after_a_day(app: AppHarness, now: datetime) -> None:
    # Given a replaced list's report, a replaced list that could not be deleted, and a deleted campaign's list
    app.upload()
    app.parse()
    first = set(app.store.objects)
    kept = dict(app.store.objects)
    app.upload(CSV + b"Eve,eve@shop.test\n")
    app.parse()
    app.store.objects |= kept | {"campaigns/gone/abc/list.csv": CSV}
    app.store.modified |= dict.fromkeys(app.store.objects, now)
    # Then they stay for a day
    assert janitor(app).sweep(now + timedelta(hours=23)) == Swept(0, 0)
    assert janitor(app).sweep(now + timedelta(hours=25)) == Swept(0, 3)
    assert len(app.store.objects) == 2
    assert not first & set(app.store.objects)


def test_an_object_that_redis_does_not_know_yet_stays_while_its_upload_is_known(app: AppHarness, now: datetime) -> None:
    # Given a complete, two days ago, that reached only the store, for an upload whose addresses are valid for three
    # days
    answer = app.web.post("/campaigns/c1/upload/init", {"size": len(CSV), "expires_in_s": 3 * 86_400})
    upload_id = answer.json()["upload_id"]
    app.store.put_part(upload_id, 1, CSV)
    key = app.store.uploads[upload_id][0]
    app.store.complete_upload(key, upload_id, app.store.list_parts(key, upload_id))
    age_everything(app)
    assert janitor(app).sweep(now) == Swept(0, 0)
    assert app.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id}).status == 202


def test_other_objects_in_the_bucket_are_not_touched(app: AppHarness, now: datetime) -> None:
    app.store.objects["backup/old.csv"] = b"x"
    age_everything(app)
    assert janitor(app).sweep(now) == Swept(0, 0)


def test_one_process_sweeps_per_hour(app: AppHarness) -> None:
    assert janitor(app).sweep_if_due() == Swept(0, 0)
    assert janitor(app).sweep_if_due() is None
    assert 3590_000 < app.redis.pttl(keys.JANITOR_LEASE) <= 3600_000
