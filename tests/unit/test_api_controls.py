"""The operator's steps over HTTP: each answers, is idempotent, and names the state where it is not possible."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from campaigns import keys
from tests.support.app_harness import Site


@pytest.fixture
def site(fake_redis: Redis) -> Site:
    return Site(fake_redis)


def step(site: Site, name: str) -> tuple[int, object]:
    answer = site.web.post(f"/campaigns/c1/{name}")
    if answer.status >= 400:
        assert answer.detail
    return answer.status, answer.json()


def test_a_campaign_runs_pauses_and_goes_on(site: Site) -> None:
    site.ready()
    for _ in range(2):
        assert step(site, "start") == (200, {"status": "running"})
    for _ in range(2):
        assert step(site, "pause") == (200, {"status": "paused", "in_flight": 0})
    for _ in range(2):
        assert step(site, "resume") == (200, {"status": "running"})
    for _ in range(2):
        assert step(site, "cancel") == (200, {"status": "cancelled", "in_flight": 0})
    for name in ("start", "pause", "resume"):
        status, problem = step(site, name)
        assert (status, problem["campaign_status"]) == (409, "cancelled")  # type: ignore[index]


def test_a_pause_tells_how_many_are_still_in_flight(site: Site) -> None:
    site.ready()
    step(site, "start")
    campaign = site.world.catalog.get("c1")
    site.world.feed(campaign)
    for run in site.world.runs():
        site.world.admit(run)
    assert step(site, "pause") == (200, {"status": "paused", "in_flight": 2})


def test_nothing_starts_without_recipients(site: Site) -> None:
    site.make()
    status, problem = step(site, "start")
    assert (status, problem["campaign_status"]) == (409, "draft")  # type: ignore[index]
    site.upload(b"name,email\nAda,nobody\n")
    site.parse()
    assert step(site, "start")[0] == 409


def test_a_template_that_names_missing_columns_does_not_start(site: Site) -> None:
    site.ready(subject="{{ name }} {{ city }}", text="{{ email }} {{ age }}")
    answer = site.web.post("/campaigns/c1/start")
    assert answer.status == 409
    assert "age, city" in answer.detail
    assert site.web.get("/campaigns/c1/status").json()["status"] == "ready"
    # And it does once the content fits
    site.web.put("/campaigns/c1", {"from": "a@shop.test", "subject": "{{ name }}", "text": "x"})
    assert step(site, "start") == (200, {"status": "running"})


def test_a_start_during_parsing_waits_for_its_end(site: Site) -> None:
    site.make()
    site.upload()
    assert step(site, "start") == (200, {"status": "parsing"})
    assert site.parse().status == "running"


def test_a_rate_is_set_and_shown(site: Site) -> None:
    site.ready()
    for _ in range(2):
        answer = site.web.post("/campaigns/c1/rate-limit", {"tpm": 600})
        assert (answer.status, answer.json()) == (200, {"rate_limit": 600})
    assert site.web.get("/campaigns/c1/status").json()["rate_limit"] == 600


@pytest.mark.parametrize("tpm", [0, -1, 10_000_001, "600", 1.5, None, True])
def test_an_impossible_rate_is_422(site: Site, tpm: object) -> None:
    site.ready()
    refused = site.web.post("/campaigns/c1/rate-limit", {"tpm": tpm})
    assert refused.status == 422
    assert "tpm" in refused.detail
    assert site.web.get("/campaigns/c1/status").json()["rate_limit"] == 1000


@pytest.mark.parametrize(
    "path", ["start", "pause", "resume", "cancel", "reconcile", "rate-limit", "status", "events", "recipients.csv"]
)
def test_an_unknown_campaign_is_404(site: Site, path: str) -> None:
    method = "GET" if path in {"status", "events", "recipients.csv"} else "POST"
    answer = site.web.request(method, f"/campaigns/nobody/{path}", {"tpm": 5} if path == "rate-limit" else b"")
    assert answer.status == 404
    assert "PUT /campaigns/{id}" in answer.detail
    assert not site.redis.keys("*")


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        (b"", {"retry_failed": False, "unknown": None}),
        ({}, {"retry_failed": False, "unknown": None}),
        ({"retry_failed": True}, {"retry_failed": True, "unknown": None}),
        ({"unknown": "resend"}, {"retry_failed": False, "unknown": "resend"}),
    ],
)
def test_a_reconciliation_is_queued(site: Site, body: object, arguments: dict[str, object]) -> None:
    site.ready()
    step(site, "start")
    assert site.web.post("/campaigns/c1/reconcile", body).status == 202
    (raw,) = site.redis.hvals(keys.dramatiq_messages("reconcile"))
    message = json.loads(raw)
    assert (message["args"], message["kwargs"]) == (["c1"], arguments)


@pytest.mark.parametrize("body", [{"unknown": "guess"}, {"retry_faild": True}, {"retry_failed": 1}])
def test_a_wrong_reconciliation_is_422(site: Site, body: object) -> None:
    site.ready()
    assert site.web.post("/campaigns/c1/reconcile", body).status == 422


def test_there_is_nothing_to_decide_before_the_start(site: Site) -> None:
    site.ready()
    for body in ({"retry_failed": True}, {"unknown": "done"}):
        refused = site.web.post("/campaigns/c1/reconcile", body)
        assert (refused.status, refused.json()["campaign_status"]) == (409, "ready")
    assert site.redis.llen(keys.dramatiq_queue("reconcile")) == 0


def test_the_last_report_is_shown(site: Site) -> None:
    site.ready()
    missing = site.web.get("/campaigns/c1/reconcile")
    assert (missing.status, "POST" in missing.detail) == (404, True)
    report = site.world.reconciler.reconcile(site.world.catalog.get("c1"))
    shown = site.web.get("/campaigns/c1/reconcile").json()
    assert shown == {"checked": 0, "found": {}, "repaired": {}, "finished_at": report.finished_at}
