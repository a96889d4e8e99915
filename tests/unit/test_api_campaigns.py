"""Creating, reading, listing and deleting campaigns over HTTP, and the form of every error."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from campaigns import keys
from campaigns.models import Content
from tests.support.app_harness import CONTENT, AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def test_a_new_campaign_can_be_read_back_unchanged(app: AppHarness) -> None:
    made = app.web.put("/campaigns/c1", CONTENT)
    assert (made.status, made.headers["location"]) == (201, "/campaigns/c1")
    again = app.web.put("/campaigns/c1", CONTENT)
    assert (again.status, again.json()) == (200, made.json())
    found = app.web.get("/campaigns/c1").json()
    assert found == made.json()
    assert {name: found[name] for name in CONTENT} == CONTENT
    assert (found["status"], found["tpm"], found["on_unknown"]) == ("draft", 1000, "hold")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"from": "nobody"}, "from"),
        ({"subject": 5}, "$.subject"),
        ({"subject": "{{ name"}, "subject"),
        ({"text": None}, "html"),
        ({"tpm": 0}, "tpm"),
        ({"tpm": True}, "$.tpm"),
        ({"on_unknown": "guess"}, "$.on_unknown"),
        ({"headers": {"Bcc": "x@y.test"}}, "Bcc"),
        ({"colour": "red"}, "colour"),
        ({"subject": "half a pair: \ud800 "}, "JSON"),
    ],
)
def test_wrong_content_is_422_naming_the_field(app: AppHarness, change: dict[str, object], named: str) -> None:
    refused = app.web.put("/campaigns/c1", CONTENT | change)
    assert refused.status == 422
    assert named in refused.detail
    assert app.web.get("/campaigns/c1").status == 404


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"from": "\xff"}', b'{"from": "\\ud800x"}']
)
def test_a_body_that_is_not_a_campaign_is_422(app: AppHarness, body: bytes) -> None:
    refused = app.web.put("/campaigns/c1", body)
    assert refused.status == 422
    assert refused.detail


@pytest.mark.parametrize("campaign_id", ["-a", "a.b", "a%20b", "x" * 65, "%C3%A9", "a%0A"])
def test_an_invalid_id_is_422_on_put_and_404_on_get(app: AppHarness, campaign_id: str) -> None:
    assert app.web.put(f"/campaigns/{campaign_id}", CONTENT).status == 422
    assert app.web.get(f"/campaigns/{campaign_id}").status == 404
    assert app.web.post(f"/campaigns/{campaign_id}/start").status == 404


def test_a_body_above_the_limit_is_413(app: AppHarness) -> None:
    announced = app.web.put("/campaigns/c1", b"{}", {"Content-Length": "26214401"})
    assert announced.status == 413
    assert "25 MiB" in announced.detail
    sent = app.web.post("/campaigns/c1/rate-limit", [b" " * 600_000, b" " * 600_000])
    assert (sent.status, "1 MiB" in sent.detail) == (413, True)


def test_changing_a_started_campaign_is_409_naming_the_state(app: AppHarness) -> None:
    app.ready()
    app.web.post("/campaigns/c1/start")
    refused = app.web.put("/campaigns/c1", CONTENT | {"subject": "Other"})
    assert refused.status == 409
    assert "running" in refused.detail
    assert refused.json()["campaign_status"] == "running"


@pytest.fixture
def two_accounts(fake_redis: Redis) -> AppHarness:
    environment = {"ACCOUNTS": "news", "ACCOUNT_NEWS_PROVIDER": "outbox", "SECRET_KEY": "k" * 32}
    return AppHarness(fake_redis, environment)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {
            "tpm": 600,
            "brake": None,
            "unsubscribe": False,
            "tracking": "off",
            "windows": ["Mon-Sun 00:00-24:00"],
            "timezone": "Europe/Berlin",
        },
        {"html": "<p>Hi</p>", "text": None, "where": "email", "duplicates": "keep", "pause_after": 2},
    ],
)
def test_what_a_client_reads_of_a_started_campaign_and_puts_back_changes_nothing(
    two_accounts: AppHarness, content: dict[str, Any]
) -> None:
    # Given a campaign under way, whose rate has changed since it was made
    app = two_accounts
    app.ready(**content)
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).status == 200
    assert app.web.post("/campaigns/c1/rate-limit", {"tpm": 77}).status == 200
    before = app.web.get("/campaigns/c1").json()
    fields = {name: before[name] for name in before if name in set(Content.__struct_encode_fields__)}
    # When a client PUTs what it has read, then nothing changes
    stored = app.redis.hget(keys.campaign("c1"), "content")
    assert app.web.put("/campaigns/c1", fields).status == 200
    assert app.redis.hget(keys.campaign("c1"), "content") == stored
    # And while the campaign is paused, it may name another account, and nothing else
    app.web.post("/campaigns/c1/pause")
    assert app.web.put("/campaigns/c1", fields | {"account": "news", "subject": "Other"}).status == 409
    assert app.web.put("/campaigns/c1", fields | {"account": "news"}).status == 200
    after = app.web.get("/campaigns/c1").json()
    assert {name for name in after if after[name] != before[name]} == {"account", "status"}


def test_campaigns_are_listed_page_by_page(app: AppHarness) -> None:
    for number in range(5):
        app.make(f"c{number}")
    first = app.web.get("/campaigns?limit=2").json()
    second = app.web.get(first["next"]).json()
    third = app.web.get(second["next"]).json()
    listed = [campaign["id"] for page in (first, second, third) for campaign in page["campaigns"]]
    assert sorted(listed) == ["c0", "c1", "c2", "c3", "c4"]
    assert (first["total"], third["next"]) == (5, None)
    assert "text" not in first["campaigns"][0]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "offset=-1", "limit=", "offset=1e3", "limit=²"])
def test_a_wrong_page_is_422(app: AppHarness, query: str) -> None:
    assert app.web.get(f"/campaigns?{query.replace('²', '%C2%B2')}").status == 422


def test_deleting_a_campaign_leaves_nothing_behind(app: AppHarness) -> None:
    app.ready()
    app.make("c2")
    init = app.web.post("/campaigns/c1/upload/init", {"size": 5}).json()
    assert init["upload_id"] in app.store.uploads
    assert app.web.request("DELETE", "/campaigns/c1").status == 204
    assert app.store.objects == {}
    assert app.store.uploads == {}
    assert not [key for key in app.redis.keys("*") if b"{c1}" in key]
    assert app.web.request("DELETE", "/campaigns/c1").status == 404
    assert [campaign["id"] for campaign in app.web.get("/campaigns").json()["campaigns"]] == ["c2"]


def test_a_running_campaign_cannot_be_deleted(app: AppHarness) -> None:
    app.ready()
    app.web.post("/campaigns/c1/start")
    refused = app.web.request("DELETE", "/campaigns/c1")
    assert refused.status == 409
    assert "running" in refused.detail
    assert len(app.store.objects) == 2
    assert app.web.get("/campaigns/c1").status == 200


def test_nothing_is_deleted_while_the_store_is_away(app: AppHarness) -> None:
    app.ready()
    app.store.away = True
    assert app.web.request("DELETE", "/campaigns/c1").status == 503
    assert app.web.get("/campaigns/c1").status == 200


def test_unknown_paths_and_methods_are_answered_as_problems(app: AppHarness) -> None:
    missing = app.web.get("/campaign")
    assert (missing.status, "/openapi.json" in missing.detail) == (404, True)
    assert app.web.get("/campaigns/").status == 404
    wrong = app.web.post("/campaigns/c1")
    assert wrong.status == 405
    assert wrong.detail
    assert wrong.headers["allow"] == "DELETE, GET, HEAD, PUT"


def test_every_response_has_security_headers(app: AppHarness) -> None:
    for path in ("/campaigns", "/nowhere", "/healthz"):
        headers = app.web.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
