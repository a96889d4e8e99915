"""The brake through the API: what a campaign may ask for, and how a person resumes it."""

from __future__ import annotations

import pytest
from redis import Redis

from campaigns import keys
from tests.support.app_harness import CONTENT, CSV, AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def test_a_campaign_shows_its_limits(app: AppHarness) -> None:
    app.make()
    assert app.web.get("/campaigns/c1").json()["brake"] == {"bounce_pct": 5.0, "complaint_pct": 0.3, "after": 100}
    app.make("c2", brake=None)
    assert app.web.get("/campaigns/c2").json()["brake"] is None
    app.make("c3", brake={"bounce_pct": 2})
    shown = app.web.get("/campaigns/c3").json()["brake"]
    assert shown == {"bounce_pct": 2.0, "complaint_pct": 0.3, "after": 100}
    assert app.web.put("/campaigns/c3", CONTENT | {"brake": shown}).status == 200


@pytest.mark.parametrize(
    "brake",
    [{"bounce_pct": 0}, {"bounce_pct": 101}, {"complaint_pct": -1}, {"after": 0}, {"after": 1.5}, {"pct": 5}, 5, "off"],
)
def test_limits_that_are_none_are_refused(app: AppHarness, brake: object) -> None:
    assert app.web.put("/campaigns/c1", CONTENT | {"brake": brake}).status == 422


def test_resume_says_what_to_send_and_accepts_it(app: AppHarness) -> None:
    app.ready(CSV)
    app.harness.controls.start("c1")
    figures = "7 of 120 bounced (5.8 %), the limit is 5 %"
    app.redis.hset(keys.campaign("c1"), mapping={"status": "paused", "braked": figures, "reason": f"brake: {figures}"})
    refused = app.web.post("/campaigns/c1/resume")
    assert refused.status == 409
    assert refused.json()["type"].endswith("#brake-holds")
    assert figures in refused.detail
    assert '{"accept_brake": true}' in refused.detail
    assert app.web.get("/campaigns/c1/status").json()["reason"] == f"brake: {figures}"
    for _ in range(2):
        answer = app.web.post("/campaigns/c1/resume", b'{"accept_brake": true}')
        assert (answer.status, answer.json()) == (200, {"status": "running"})
    assert app.web.post("/campaigns/c1/resume").status == 200
