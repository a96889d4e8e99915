"""The janitor removes what nobody will come back for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from api.janitor import Janitor, Swept
from campaigns import keys
from tests.support.app_harness import CSV, Site

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=2)


@pytest.fixture
def site(fake_redis: Redis) -> Site:
    made = Site(fake_redis)
    made.make()
    return made


def janitor(site: Site) -> Janitor:
    return Janitor(site.redis, site.world.catalog, site.store)


def begin(site: Site) -> str:
    return str(site.web.post("/campaigns/c1/upload/init", {"size": len(CSV)}).json()["upload_id"])


def age_everything(site: Site) -> None:
    site.store.modified = dict.fromkeys(site.store.objects, OLD)


def test_an_upload_is_given_up_once_its_addresses_have_expired(site: Site) -> None:
    upload_id = begin(site)
    # Within the day for which its addresses live, and an hour after
    assert janitor(site).sweep(NOW + timedelta(hours=24, minutes=59)) == Swept(0, 0)
    assert upload_id in site.store.uploads
    # Then it goes, with its record
    assert janitor(site).sweep(NOW + timedelta(hours=25, minutes=1)) == Swept(1, 0)
    assert site.store.uploads == {}
    assert site.world.catalog.uploads("c1") == []
    assert site.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id}).status == 404


def test_an_upload_without_a_record_is_kept_as_long_as_addresses_can_live(site: Site) -> None:
    # Given an upload whose init died before it told Redis
    upload_id = site.store.create_upload("campaigns/c1/abc/list.csv")
    assert janitor(site).sweep(NOW + timedelta(days=7)) == Swept(0, 0)
    assert janitor(site).sweep(NOW + timedelta(days=7, hours=1, minutes=1)) == Swept(1, 0)
    assert upload_id not in site.store.uploads


def test_what_a_campaign_uses_stays_however_old(site: Site) -> None:
    site.upload()
    site.parse()
    age_everything(site)
    assert janitor(site).sweep(NOW) == Swept(0, 0)
    assert len(site.store.objects) == 2  # the list and the report of it


def test_objects_of_no_list_go_after_a_day(site: Site) -> None:
    # Given a replaced list's report, a replaced list that could not be deleted, and a deleted campaign's list
    site.upload()
    site.parse()
    first = set(site.store.objects)
    kept = dict(site.store.objects)
    site.upload(CSV + b"Eve,eve@shop.test\n")
    site.parse()
    site.store.objects |= kept | {"campaigns/gone/abc/list.csv": CSV}
    site.store.modified |= dict.fromkeys(site.store.objects, NOW)
    # Not before a day has passed
    assert janitor(site).sweep(NOW + timedelta(hours=23)) == Swept(0, 0)
    assert janitor(site).sweep(NOW + timedelta(hours=25)) == Swept(0, 3)
    assert len(site.store.objects) == 2
    assert not first & set(site.store.objects)


def test_an_object_between_store_and_redis_stays_while_its_upload_is_known(site: Site) -> None:
    # Given a complete that reached the store and no further, two days ago, with addresses that live for three
    answer = site.web.post("/campaigns/c1/upload/init", {"size": len(CSV), "expires_in_s": 3 * 86_400})
    upload_id = answer.json()["upload_id"]
    site.store.put_part(upload_id, 1, CSV)
    key = site.store.uploads[upload_id][0]
    site.store.complete_upload(key, upload_id, site.store.list_parts(key, upload_id))
    age_everything(site)
    assert janitor(site).sweep(NOW) == Swept(0, 0)
    assert site.web.post("/campaigns/c1/upload/complete", {"upload_id": upload_id}).status == 202


def test_other_objects_in_the_bucket_are_not_touched(site: Site) -> None:
    site.store.objects["backup/old.csv"] = b"x"
    age_everything(site)
    assert janitor(site).sweep(NOW) == Swept(0, 0)


def test_one_process_sweeps_an_hour(site: Site) -> None:
    assert janitor(site).sweep_if_due() == Swept(0, 0)
    assert janitor(site).sweep_if_due() is None
    assert 3590_000 < site.redis.pttl(keys.JANITOR_LEASE) <= 3600_000
