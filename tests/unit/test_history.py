"""The histories: each change writes its entry in the same script."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from campaigns import keys
from campaigns.history import MOST, History
from campaigns.models import UnknownDecision
from tests.support import lua_settings
from tests.support.app_harness import CONTENT, CSV, AppHarness
from tests.support.doubles.web import Web
from worker.reconcile import Reconcile


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def entries(app: AppHarness, path: str = "/campaigns/c1/history?limit=200") -> list[dict[str, Any]]:
    """All entries, the oldest first."""
    answer = app.web.get(path)
    assert answer.status == 200, answer.detail
    found: list[dict[str, Any]] = answer.json()["history"]
    return found[::-1]


def events(app: AppHarness, path: str = "/campaigns/c1/history?limit=200") -> list[tuple[str, str]]:
    return [(entry["event"], entry["by"]) for entry in entries(app, path)]


def test_a_campaign_s_story_is_told_in_order(app: AppHarness) -> None:
    # Given a campaign that is made, gets two lists, and is sent with a pause and a change of the rate
    app.make()
    app.upload()
    app.parse()
    app.upload(CSV + b"Cy,cy@shop.test\n")
    app.parse()
    app.web.put("/campaigns/c1", CONTENT | {"subject": "Other", "tpm": 6000})
    app.web.post("/campaigns/c1/start")
    for step in ("pause", "pause", "resume"):
        app.web.post(f"/campaigns/c1/{step}")
    for _ in range(2):
        app.web.post("/campaigns/c1/rate-limit", {"tpm": 600})
    app.harness.drain()
    # When its history is read
    found = entries(app)
    # Then each change is there once, with its numbers and who did it
    assert [(entry["event"], entry["by"]) for entry in found] == [
        ("created", "anonymous"),
        ("list_accepted", "anonymous"),
        ("list_parsed", "system"),
        ("list_replaced", "anonymous"),
        ("list_parsed", "system"),
        ("content_changed", "anonymous"),
        ("rate_changed", "anonymous"),
        ("started", "anonymous"),
        ("paused", "anonymous"),
        ("resumed", "anonymous"),
        ("rate_changed", "anonymous"),
        ("completed", "system"),
    ]
    assert [entry["number"] for entry in found] == [*range(1, 13)]
    details = {entry["event"]: entry["details"] for entry in found}
    assert details["rate_changed"] == {"from": 6000, "to": 600}
    assert details["completed"] == {"from": "running", "to": "completed"}
    assert details["list_parsed"] == {"from": "parsing", "to": "ready", "recipients": 3, "rejected": 0, "excluded": 0}


def test_the_system_pauses_with_its_reason_and_without_the_address(app: AppHarness) -> None:
    campaign = app.ready()
    app.web.post("/campaigns/c1/start")
    app.harness.ledger.halt("c1", campaign.list_version, "550 <news@shop.test>: not verified (ann@shop.test)")
    last = entries(app)[-1]
    assert (last["event"], last["by"]) == ("paused", "system")
    assert last["reason"] == "550 <(address)>: not verified ((address))"
    # And the status has the provider's words
    assert "news@shop.test" in app.web.get("/campaigns/c1/status").json()["reason"]


def test_a_start_during_parsing_is_its_client_s(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, {"API_TOKEN": "t" * 40})
    app.web = Web(app.starlette, headers={"Authorization": "Bearer " + "t" * 40})
    app.make()
    app.upload()
    for _ in range(2):
        app.web.post("/campaigns/c1/start")
    app.parse()
    assert events(app)[1:] == [
        ("list_accepted", "api-token"),
        ("start_requested", "api-token"),
        ("list_parsed", "system"),
        ("started", "api-token"),
    ]


def test_decisions_attachments_and_test_emails_are_told(app: AppHarness) -> None:
    campaign = app.ready()
    app.web.put("/campaigns/c1/attachments/a.txt", b"x", {"Content-Type": "text/plain"})
    app.web.put("/campaigns/c1/attachments/a.txt", b"y", {"Content-Type": "text/plain"})
    app.web.request("DELETE", "/campaigns/c1/attachments/a.txt", b"")
    app.web.post("/campaigns/c1/start")
    app.harness.prove("c1")
    app.harness.prefetch(campaign)
    (batch,) = app.harness.batches()
    app.harness.admit(batch)
    app.harness.settle(batch, [1], "unknown", reason="no answer")
    app.harness.settle(batch, [2], "rejected", reason="400")
    app.harness.reconciler.retry_failed(campaign)
    app.harness.reconciler.decide(campaign, UnknownDecision.FAILED)
    found = {entry["event"]: entry["details"] for entry in entries(app)}
    assert found["attachment_added"] == found["attachment_removed"] == {"filename": "a.txt"}
    assert "attachment_replaced" in found
    assert found["failed_retried"] == {"count": 1}
    assert found["unknown_decided"] == {"decision": "failed", "count": 1}


def test_a_decision_is_its_client_s_also_when_a_worker_carries_it_out(app: AppHarness) -> None:
    campaign = app.ready()
    app.web.post("/campaigns/c1/start")
    app.harness.prefetch(campaign)
    (batch,) = app.harness.batches()
    app.harness.admit(batch)
    app.harness.settle(batch, batch.rows, "rejected", reason="400")
    worker = Reconcile(app.harness.catalog, app.harness.reconciler, app.harness.progress)
    worker.perform("c1", retry_failed=True, by="api-token")
    worker.perform("c1")
    assert [event for event in events(app) if event[0] in {"failed_retried", "reopened"}] == [
        ("failed_retried", "api-token")
    ]


def test_repeated_counts_become_one_entry(app: AppHarness) -> None:
    app.ready()
    limit = app.starlette.state.components.trial_limit
    for _ in range(3):
        limit.admit("c1", 2, "default")
    assert [entry["details"] for entry in entries(app) if entry["event"] == "test_sent"] == [{"count": 6}]


def test_a_copy_says_what_it_is_a_copy_of(app: AppHarness) -> None:
    app.make()
    assert app.web.post("/campaigns/c1/copy", {"id": "c2"}).status == 201
    [entry] = entries(app, "/campaigns/c2/history")
    assert (entry["event"], entry["details"]) == ("created", {"copy_of": "c1"})


def test_a_look_writes_nothing_and_shows_nothing_twice(app: AppHarness) -> None:
    app.make()
    for subject in range(6):
        app.web.put("/campaigns/c1", CONTENT | {"subject": f"S{subject}"})
    seen, path = [], "/campaigns/c1/history?limit=3"
    while path:
        page = app.web.get(path).json()
        assert (page["total"], page["kept"]) == (7, MOST)
        seen += [entry["number"] for entry in page["history"]]
        path = page["next"]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_history_keeps_the_newest_entries(fake_redis: Redis) -> None:
    assert lua_settings.setting("HISTORY_MOST") == MOST
    history = History(fake_redis)
    for _ in range(MOST + 5):
        history.note("x", campaign_id="c1")
    page = history.page("c1", 0, 2)
    assert ([entry.number for entry in page.entries], page.total) == ([MOST + 5, MOST + 4], MOST)
    oldest = history.page("c1", 7, 5)
    assert ([entry.number for entry in oldest.entries], oldest.before) == ([6], None)


def test_a_history_goes_with_its_campaign_and_the_installation_remembers(app: AppHarness) -> None:
    app.make()
    app.web.request("DELETE", "/campaigns/c1", b"")
    assert app.web.get("/campaigns/c1/history").status == 404
    [entry] = entries(app, "/history")
    assert (entry["event"], entry["details"]) == ("campaign_deleted", {"campaign": "c1"})
    app.make()
    assert events(app) == [("created", "anonymous")]


def test_a_removal_from_the_suppression_list_is_told_with_its_reason(app: AppHarness) -> None:
    app.web.post("/suppressions", {"emails": ["ann@shop.test"]})
    for _ in range(2):
        app.web.request("DELETE", "/suppressions/ann@shop.test?reason=she asked", b"")
    [entry] = entries(app, "/history")
    assert (entry["event"], entry["reason"], entry["by"]) == ("suppression_removed", "she asked", "anonymous")


def test_a_history_of_a_wrong_type_stops_no_change(app: AppHarness) -> None:
    app.ready()
    app.redis.delete(keys.of("c1", "history"))
    app.redis.set(keys.of("c1", "history"), "x")
    assert app.web.post("/campaigns/c1/start").status == 200


@pytest.mark.parametrize("query", ["before=x", "limit=0", "limit=201", "page=2"])
def test_a_wrong_query_is_422(app: AppHarness, query: str) -> None:
    app.make()
    assert app.web.get(f"/campaigns/c1/history?{query}").status == 422
