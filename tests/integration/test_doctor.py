"""`POST /doctor` against real servers: what is right is ok, and each thing that is broken is named with its mend."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api import components, doctor
from api.doctor import redis_checks, store_checks
from api.doctor.finding import DoctorFinding, DoctorVerdict
from campaigns import keys
from campaigns.db.server import Writing
from campaigns.heartbeats import GONE_MS
from consent.dns_records import DnsUnavailable
from embedded.ports import LOOPBACK, free_port
from storage import ObjectStore
from tests.support import services
from tests.support.app_harness import AppHarness

ORIGIN = "http://localhost:8080"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    """A separate server, whose settings a test may change."""
    with services.valkey_server(tmp_path) as url:
        made = components.connect(url)
        yield made
        made.close()


class NoDns:
    """A resolver that never answers."""

    async def txt(self, name: str) -> list[str]:
        raise DnsUnavailable(name)


def redis_findings(client: Redis) -> dict[str, DoctorFinding]:
    return {one.name: one for one in redis_checks.check(client, Writing(client), allow_unsafe=False)}


def worker(client: Any, age_ms: int = 0) -> None:
    client.zadd(keys.WORKERS, {"w1": time.time() * 1000 - age_ms})
    client.hset(keys.SLOTS, "w1", 10)


def test_a_good_redis_with_a_worker_has_nothing_to_mend(client: Any) -> None:
    worker(client)
    found = redis_findings(client)
    assert {one.verdict for one in found.values()} == {DoctorVerdict.OK}, found
    assert found["Workers"].found == "1 alive, with 10 messages at once"
    assert set(found) == {
        "Redis", "Redis: speed", "Redis: kind", "Redis: append-only file", "Redis: fsync", "Redis: memory",
        "Redis: writes", "Clock: Redis", "Workers",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "name", "verdict"),
    [
        (lambda client: client.config_set("appendfsync", "everysec"), "Redis: fsync", DoctorVerdict.WARNING),
        (lambda client: client.config_set("appendonly", "no"), "Redis: append-only file", DoctorVerdict.FAILED),
        (lambda client: client.config_set("maxmemory-policy", "allkeys-lru"), "Redis: kind", DoctorVerdict.FAILED),
        (lambda client: client.config_set("min-replicas-to-write", 1), "Redis: writes", DoctorVerdict.FAILED),
        (
            lambda client: client.config_set("maxmemory", client.info()["used_memory"] + 200_000),
            "Redis: memory",
            DoctorVerdict.WARNING,
        ),
        (lambda client: worker(client, GONE_MS + 5_000), "Workers", DoctorVerdict.FAILED),
    ],
)
def test_what_is_broken_is_named(
    client: Any, break_it: Callable[[Any], object], name: str, verdict: DoctorVerdict
) -> None:
    client.ping()
    break_it(client)
    found = redis_findings(client)
    assert found[name].verdict is verdict, found
    assert found[name].mend
    with suppress(Exception):  # a server that refuses writes would not end
        client.config_set("min-replicas-to-write", 0)


def test_a_redis_that_is_away_is_the_only_finding() -> None:
    away = components.connect(f"redis://{LOOPBACK}:{free_port()}/0")
    [only] = redis_checks.check(away, Writing(away), allow_unsafe=False)
    assert (only.name, only.verdict) == ("Redis", DoctorVerdict.FAILED)
    assert "REDIS_URL" in only.mend


def test_an_upload_goes_through_the_store_and_leaves_nothing(s3_endpoint: str, bucket: str) -> None:
    store = ObjectStore(bucket, s3_endpoint)
    [missing] = store_checks.check(store, ORIGIN)
    assert (missing.name, missing.verdict) == ("Object store: bucket", DoctorVerdict.FAILED)
    store.ensure_bucket()
    found = {one.name: one for one in store_checks.check(store, ORIGIN)}
    assert {one.verdict for one in found.values()} == {DoctorVerdict.OK}, found
    assert set(found) == {
        "Object store: bucket", "Object store: upload in parts", "Object store: CORS", "Clock: object store",
    }  # fmt: skip
    assert list(store.list_objects(store_checks.PREFIX)) == []
    assert store.list_uploads(store_checks.PREFIX) == []


def test_a_public_address_that_leads_nowhere_is_told(s3_endpoint: str, bucket: str) -> None:
    store = ObjectStore(bucket, s3_endpoint, f"http://{LOOPBACK}:{free_port()}")
    store.ensure_bucket()
    *_, last = store_checks.check(store, ORIGIN)
    assert (last.name, last.verdict) == ("Object store: upload in parts", DoctorVerdict.UNKNOWN)
    assert "S3_PUBLIC_ENDPOINT_URL" in last.mend
    assert store.list_uploads(store_checks.PREFIX) == []


def test_the_whole_installation_is_checked_at_once(client: Any, s3_endpoint: str, bucket: str) -> None:
    # Given an installation without a worker
    store: Any = ObjectStore(bucket, s3_endpoint)
    store.ensure_bucket()
    app = AppHarness(client, overrides={"dns": NoDns()}, store=store)
    app.make()
    # When it is diagnosed
    found = app.web.post("/doctor", {}).json()
    # Then the worst finding is the verdict, and everything has a finding
    by_name = {one["name"]: one for one in found["findings"]}
    assert found["verdict"] == "failed"
    assert [name for name, one in by_name.items() if one["verdict"] == "failed"] == ["Workers"]
    assert {"Redis", "Object store: CORS", "Provider: outbox (account default)", "PUBLIC_URL"} <= set(by_name)
    assert by_name["Sender shop.test: SPF"]["verdict"] == "unknown"
    # And a wrong body and a GET are refused
    assert app.web.post("/doctor", {"sender": "x"}).status == 422
    assert app.web.get("/doctor").status == 405


def test_diagnoses_are_limited(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PER_S", 1e-6)
    app = AppHarness(client, overrides={"dns": NoDns()})
    codes = [app.web.post("/doctor", {"from": "x@shop.test"}).status for _ in range(doctor.BURST + 1)]
    assert codes == [200] * doctor.BURST + [429]


def test_a_check_that_fails_or_hangs_is_a_finding(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object, **_more: object) -> list[DoctorFinding]:
        raise ValueError("a bug")

    def hangs(*_args: object, **_more: object) -> list[DoctorFinding]:
        time.sleep(2)
        return []

    monkeypatch.setattr(redis_checks, "check", fails)
    monkeypatch.setattr(store_checks, "check", hangs)
    monkeypatch.setattr(doctor, "GROUP_S", 0.2)
    found = {one["name"]: one for one in AppHarness(client).web.post("/doctor", {}).json()["findings"]}
    assert "doctor_failed" in found["Redis"]["mend"]
    assert "longer than" in found["Object store"]["found"]
