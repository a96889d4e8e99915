"""GET /recipients?email=: all that is known of an address over all campaigns, in bounded time."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from api import disclosure, list_search
from consent.records import Reason
from tests.support.app_harness import AppHarness
from tests.support.suppressions import suppressions

LIST = b"name,email\nBob,bob@shop.test\nAnnabel,Ann@shop.test\nAnnabel,ann@shop.test\n"


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def disclosed(app: AppHarness, query: str = "?email=ann@shop.test") -> dict[str, Any]:
    answer = app.web.get(f"/recipients{query}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def test_all_that_is_known_of_an_address(app: AppHarness) -> None:
    """Given campaigns with and without the address, one whose email bounced, and its entry on the suppression list."""
    app.ready(LIST, "c1", subject="Spring")
    app.ready(b"name,email\nBob,bob@shop.test\n", "c2")
    app.make("c3")
    app.redis.setbit("postrider:{c1}:done", 2, 1)
    app.redis.setbit("postrider:{c1}:bounced", 2, 1)
    suppressions(app.redis, app.store).add(["ann@shop.test"], Reason.BOUNCED)
    found = disclosed(app, "?email=ANN@shop.test")
    assert (found["email"], found["unsearched"], found["next"]) == ("ann@shop.test", [], None)
    [campaign] = found["campaigns"]
    assert (campaign["id"], campaign["subject"], campaign["status"]) == ("c1", "Spring", "ready")
    assert [(row["row"], row["state"], row["reason"]) for row in campaign["recipients"]] == [
        (2, "done", ""), (3, "rejected", "duplicate:2"),
    ]  # fmt: skip
    assert campaign["recipients"][0]["events"] == [{"event": "bounced", "reason": None}]
    assert found["suppression"]["all_email"]
    [entry] = found["suppression"]["entries"]
    assert (entry["what"], entry["at"][:2]) == ("bounced", "20")


def test_the_history_notes_it_without_the_address(app: AppHarness) -> None:
    disclosed(app)
    [noted] = app.web.get("/history").json()["history"]
    assert (noted["event"], noted["details"]) == ("address_disclosed", {})


def test_a_long_search_goes_on_with_next(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more lists than a request can search, then each response names the rest, and none is left out."""
    for number in range(3):
        app.ready(LIST, f"c{number}")
    monkeypatch.setattr(disclosure, "DISCLOSE_S", -1.0)
    found, seen, path = disclosed(app), [], ""
    for _ in range(3):
        seen += [campaign["id"] for campaign in found["campaigns"]]
        path = found["next"]
        if path is None:
            break
        found = disclosed(app, path.removeprefix("/recipients"))
    assert path is None
    assert sorted(seen) == ["c0", "c1", "c2"]
    assert len(app.web.get("/history").json()["history"]) == 1


def test_what_cannot_be_searched_is_named(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    app.make("parsing")
    app.upload(LIST, "parsing")
    app.make("unusable")
    app.upload(b"name\nBob\n", "unusable")
    app.parse("unusable")
    app.ready(LIST, "gone")
    app.store.delete([app.harness.catalog.get("gone").object_key])
    reasons = {one["id"]: one["reason"] for one in disclosed(app)["unsearched"]}
    assert set(reasons) == {"parsing", "unusable", "gone"}
    assert "parsed" in reasons["parsing"]
    monkeypatch.setattr(list_search, "SEARCH_S", -1.0)
    app.ready(LIST, "long")
    assert "recipients.csv" in {one["id"]: one["reason"] for one in disclosed(app)["unsearched"]}["long"]


@pytest.mark.parametrize("query", ["", "?email=", "?email=nobody", "?email=ann@shop.test&after=c9"])
def test_a_request_that_cannot_be_answered_is_422(app: AppHarness, query: str) -> None:
    assert app.web.get(f"/recipients{query}").status == 422
