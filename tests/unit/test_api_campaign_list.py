"""The list of campaigns over HTTP: found by a word or a state, in an order, in pages."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.support.app_harness import AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    """Three campaigns, of which the second has a list."""
    app = AppHarness(fake_redis)
    app.make("spring-sale", subject="Hello {{ email }}")
    app.ready(b"email\nada@shop.test\n", campaign_id="Autumn", subject="Leaves are falling", text="Dear reader")
    app.make("winter-sale", subject="Snow")
    return app


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["winter-sale", "Autumn", "spring-sale"]),
        ("sort=oldest", ["spring-sale", "Autumn", "winter-sale"]),
        ("sort=name", ["Autumn", "spring-sale", "winter-sale"]),
        ("search=SALE", ["winter-sale", "spring-sale"]),
        ("search=leaves", ["Autumn"]),
        ("status=ready", ["Autumn"]),
        ("status=draft&search=spring&sort=name", ["spring-sale"]),
        ("search=nothing", []),
    ],
)
def test_campaigns_are_found_and_sorted(app: AppHarness, query: str, ids: list[str]) -> None:
    page = app.web.get(f"/campaigns?{query}").json()
    assert [campaign["id"] for campaign in page["campaigns"]] == ids
    assert page["total"] == len(ids)


def test_the_next_page_keeps_the_question(app: AppHarness) -> None:
    first = app.web.get("/campaigns?search=sale&sort=name&limit=1").json()
    assert [campaign["id"] for campaign in first["campaigns"]] == ["spring-sale"]
    second = app.web.get(first["next"]).json()
    assert [campaign["id"] for campaign in second["campaigns"]] == ["winter-sale"]
    assert second["next"] is None


@pytest.mark.parametrize("query", ["status=sent", "sort=size", f"search={'x' * 101}"], ids=["status", "sort", "long"])
def test_a_question_that_has_no_answer_is_refused(app: AppHarness, query: str) -> None:
    answer = app.web.get(f"/campaigns?{query}")
    assert answer.status == 422
    assert query.partition("=")[0] in answer.detail
