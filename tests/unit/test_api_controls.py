"""The operator's steps over HTTP: each is idempotent, and a 409 names the state that does not allow it."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from campaigns import keys
from tests.support.app_harness import AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def step(app: AppHarness, name: str) -> tuple[int, object]:
    answer = app.web.post(f"/campaigns/c1/{name}")
    if answer.status >= 400:
        assert answer.detail
    return answer.status, answer.json()


def test_a_campaign_starts_pauses_and_resumes(app: AppHarness) -> None:
    app.ready()
    for _ in range(2):
        assert step(app, "start") == (200, {"status": "running"})
    for _ in range(2):
        assert step(app, "pause") == (200, {"status": "paused", "in_flight": 0})
    for _ in range(2):
        assert step(app, "resume") == (200, {"status": "running"})
    for _ in range(2):
        assert step(app, "cancel") == (200, {"status": "cancelled", "in_flight": 0})
    for name in ("start", "pause", "resume"):
        status, problem = step(app, name)
        assert (status, problem["campaign_status"]) == (409, "cancelled")  # type: ignore[index]


def test_pause_returns_the_number_of_rows_in_flight(app: AppHarness) -> None:
    app.ready()
    step(app, "start")
    app.harness.prove("c1")
    campaign = app.harness.catalog.get("c1")
    app.harness.prefetch(campaign)
    for batch in app.harness.batches():
        app.harness.admit(batch)
    assert step(app, "pause") == (200, {"status": "paused", "in_flight": 2})


def test_a_campaign_without_recipients_cannot_start(app: AppHarness) -> None:
    app.make()
    status, problem = step(app, "start")
    assert (status, problem["campaign_status"]) == (409, "draft")  # type: ignore[index]
    app.upload(b"name,email\nAda,nobody\n")
    app.parse()
    assert step(app, "start")[0] == 409


def test_a_template_that_names_missing_columns_cannot_start(app: AppHarness) -> None:
    app.ready(subject="{{ name }} {{ city }}", text="{{ email }} {{ age }}")
    answer = app.web.post("/campaigns/c1/start")
    assert answer.status == 409
    assert "age, city" in answer.detail
    assert app.web.get("/campaigns/c1/status").json()["status"] == "ready"
    # And the campaign starts once its content fits the list
    app.web.put("/campaigns/c1", {"from": "a@shop.test", "subject": "{{ name }}", "text": "x"})
    assert step(app, "start") == (200, {"status": "running"})


def test_a_start_during_parsing_takes_effect_when_parsing_ends(app: AppHarness) -> None:
    app.make()
    app.upload()
    assert step(app, "start") == (200, {"status": "parsing"})
    assert app.parse().status == "running"


def test_a_rate_is_set_and_shown(app: AppHarness) -> None:
    app.ready()
    for _ in range(2):
        answer = app.web.post("/campaigns/c1/rate-limit", {"tpm": 600})
        assert (answer.status, answer.json()) == (200, {"rate_limit": 600})
    assert app.web.get("/campaigns/c1/status").json()["rate_limit"] == 600


@pytest.mark.parametrize("tpm", [0, -1, 10_000_001, "600", 1.5, None, True])
def test_an_invalid_rate_is_422(app: AppHarness, tpm: object) -> None:
    app.ready()
    refused = app.web.post("/campaigns/c1/rate-limit", {"tpm": tpm})
    assert refused.status == 422
    assert "tpm" in refused.detail
    assert app.web.get("/campaigns/c1/status").json()["rate_limit"] == 1000


@pytest.mark.parametrize(
    "path", ["start", "pause", "resume", "cancel", "reconcile", "rate-limit", "status", "events", "recipients.csv"]
)
def test_an_unknown_campaign_is_404(app: AppHarness, path: str) -> None:
    method = "GET" if path in {"status", "events", "recipients.csv"} else "POST"
    answer = app.web.request(method, f"/campaigns/nobody/{path}", {"tpm": 5} if path == "rate-limit" else b"")
    assert answer.status == 404
    assert "PUT /campaigns/{id}" in answer.detail
    assert not app.redis.keys("*")


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        (b"", {"retry_failed": False, "unknown": None}),
        ({}, {"retry_failed": False, "unknown": None}),
        ({"retry_failed": True}, {"by": "anonymous", "retry_failed": True, "unknown": None}),
        ({"unknown": "resend"}, {"by": "anonymous", "retry_failed": False, "unknown": "resend"}),
    ],
)
def test_a_reconciliation_is_queued(app: AppHarness, body: object, arguments: dict[str, object]) -> None:
    app.ready()
    step(app, "start")
    assert app.web.post("/campaigns/c1/reconcile", body).status == 202
    (raw,) = app.redis.hvals(keys.dramatiq_messages("reconcile"))
    message = json.loads(raw)
    assert (message["args"], message["kwargs"]) == (["c1"], arguments)


@pytest.mark.parametrize("body", [{"unknown": "guess"}, {"retry_faild": True}, {"retry_failed": 1}])
def test_a_wrong_reconciliation_is_422(app: AppHarness, body: object) -> None:
    app.ready()
    assert app.web.post("/campaigns/c1/reconcile", body).status == 422


def test_nothing_can_be_decided_or_retried_before_the_start(app: AppHarness) -> None:
    app.ready()
    for body in ({"retry_failed": True}, {"unknown": "done"}):
        refused = app.web.post("/campaigns/c1/reconcile", body)
        assert (refused.status, refused.json()["campaign_status"]) == (409, "ready")
    assert app.redis.llen(keys.dramatiq_queue("reconcile")) == 0


def test_the_last_report_is_shown(app: AppHarness) -> None:
    app.ready()
    missing = app.web.get("/campaigns/c1/reconcile")
    assert (missing.status, "POST" in missing.detail) == (404, True)
    report = app.harness.reconciler.reconcile(app.harness.catalog.get("c1"))
    shown = app.web.get("/campaigns/c1/reconcile").json()
    assert shown == {"checked": 0, "found": {}, "repaired": {}, "finished_at": report.finished_at}
