"""Making, reading, listing and removing campaigns over HTTP, and the form of every error."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.support.app_harness import CONTENT, Site


@pytest.fixture
def site(fake_redis: Redis) -> Site:
    return Site(fake_redis)


def test_a_campaign_is_made_then_found_unchanged(site: Site) -> None:
    made = site.web.put("/campaigns/c1", CONTENT)
    assert (made.status, made.headers["location"]) == (201, "/campaigns/c1")
    again = site.web.put("/campaigns/c1", CONTENT)
    assert (again.status, again.json()) == (200, made.json())
    found = site.web.get("/campaigns/c1").json()
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
def test_wrong_content_is_422_naming_the_field(site: Site, change: dict[str, object], named: str) -> None:
    refused = site.web.put("/campaigns/c1", CONTENT | change)
    assert refused.status == 422
    assert named in refused.detail
    assert site.web.get("/campaigns/c1").status == 404


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"from": "\xff"}', b'{"from": "\\ud800x"}']
)
def test_a_body_that_is_no_campaign_is_422(site: Site, body: bytes) -> None:
    refused = site.web.put("/campaigns/c1", body)
    assert refused.status == 422
    assert refused.detail


@pytest.mark.parametrize("campaign_id", ["-a", "a.b", "a%20b", "x" * 65, "%C3%A9", "a%0A"])
def test_an_impossible_id_is_422_to_make_and_404_to_find(site: Site, campaign_id: str) -> None:
    assert site.web.put(f"/campaigns/{campaign_id}", CONTENT).status == 422
    assert site.web.get(f"/campaigns/{campaign_id}").status == 404
    assert site.web.post(f"/campaigns/{campaign_id}/start").status == 404


def test_a_body_beyond_the_limit_is_413(site: Site) -> None:
    announced = site.web.put("/campaigns/c1", b"{}", {"Content-Length": "26214401"})
    assert announced.status == 413
    assert "25 MiB" in announced.detail
    sent = site.web.post("/campaigns/c1/rate-limit", [b" " * 600_000, b" " * 600_000])
    assert (sent.status, "1 MiB" in sent.detail) == (413, True)


def test_a_changed_campaign_that_was_started_is_409_naming_the_state(site: Site) -> None:
    site.ready()
    site.web.post("/campaigns/c1/start")
    refused = site.web.put("/campaigns/c1", CONTENT | {"subject": "Other"})
    assert refused.status == 409
    assert "running" in refused.detail
    assert refused.json()["campaign_status"] == "running"


def test_campaigns_are_listed_page_by_page(site: Site) -> None:
    for number in range(5):
        site.make(f"c{number}")
    first = site.web.get("/campaigns?limit=2").json()
    second = site.web.get(first["next"]).json()
    third = site.web.get(second["next"]).json()
    listed = [campaign["id"] for page in (first, second, third) for campaign in page["campaigns"]]
    assert sorted(listed) == ["c0", "c1", "c2", "c3", "c4"]
    assert (first["total"], third["next"]) == (5, None)
    assert "text" not in first["campaigns"][0]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "offset=-1", "limit=", "offset=1e3", "limit=²"])
def test_a_wrong_page_is_422(site: Site, query: str) -> None:
    assert site.web.get(f"/campaigns?{query.replace('²', '%C2%B2')}").status == 422


def test_a_deleted_campaign_leaves_nothing(site: Site) -> None:
    site.ready()
    site.make("c2")
    init = site.web.post("/campaigns/c1/upload/init", {"size": 5}).json()
    assert init["upload_id"] in site.store.uploads
    assert site.web.request("DELETE", "/campaigns/c1").status == 204
    assert site.store.objects == {}
    assert site.store.uploads == {}
    assert not [key for key in site.redis.keys("*") if b"{c1}" in key]
    assert site.web.request("DELETE", "/campaigns/c1").status == 404
    assert [campaign["id"] for campaign in site.web.get("/campaigns").json()["campaigns"]] == ["c2"]


def test_a_running_campaign_is_not_deleted(site: Site) -> None:
    site.ready()
    site.web.post("/campaigns/c1/start")
    refused = site.web.request("DELETE", "/campaigns/c1")
    assert refused.status == 409
    assert "running" in refused.detail
    assert len(site.store.objects) == 2
    assert site.web.get("/campaigns/c1").status == 200


def test_nothing_is_deleted_while_the_store_is_away(site: Site) -> None:
    site.ready()
    site.store.away = True
    assert site.web.request("DELETE", "/campaigns/c1").status == 503
    assert site.web.get("/campaigns/c1").status == 200


def test_unknown_addresses_and_methods_are_problems_too(site: Site) -> None:
    missing = site.web.get("/campaign")
    assert (missing.status, "/openapi.json" in missing.detail) == (404, True)
    assert site.web.get("/campaigns/").status == 404
    wrong = site.web.post("/campaigns/c1")
    assert wrong.status == 405
    assert wrong.detail
    assert wrong.headers["allow"] == "DELETE, GET, HEAD, PUT"


def test_every_answer_has_security_headers(site: Site) -> None:
    for path in ("/campaigns", "/nowhere", "/healthz"):
        headers = site.web.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
