"""The fields about time in requests and responses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from tests.support.app_harness import CONTENT, AppHarness

AHEAD = timedelta(hours=1)


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def ahead() -> str:
    return (datetime.now(UTC) + AHEAD).isoformat()


def test_a_campaign_shows_its_schedule_as_it_was_put(app: AppHarness) -> None:
    fields: dict[str, Any] = {
        "start_at": ahead(),
        "timezone": "Europe/Oslo",
        "windows": ["Mon-Fri 09:00-18:00", "22:00-02:00"],
        "pause_after": 100,
    }
    app.make(**fields)
    shown = app.web.get("/campaigns/c1").json()
    assert {name: shown[name] for name in fields} == fields
    assert shown["timezone_column"] is None
    # And null takes them away
    assert app.web.put("/campaigns/c1", CONTENT | dict.fromkeys(fields)).status == 200
    shown = app.web.get("/campaigns/c1").json()
    assert {name: shown[name] for name in fields} == dict.fromkeys(fields) | {"windows": []}


def test_a_start_ahead_is_answered_with_scheduled(app: AppHarness) -> None:
    app.ready(start_at=ahead())
    for _ in range(2):
        assert app.web.post("/campaigns/c1/start").json() == {"status": "scheduled"}
    status = app.web.get("/campaigns/c1/status").json()
    assert (status["status"], status["changeable"], status["started_at"]) == ("scheduled", True, None)
    assert status["start_at"]
    assert app.web.post("/campaigns/c1/pause").json() == {"status": "paused", "in_flight": 0}
    assert app.web.post("/campaigns/c1/resume").json() == {"status": "scheduled"}
    # Without the time, it is ready again
    assert app.web.put("/campaigns/c1", CONTENT).json()["status"] == "ready"
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_a_start_ahead_during_parsing_is_scheduled_when_parsing_ends(app: AppHarness) -> None:
    app.make(start_at=ahead())
    app.upload()
    assert app.web.post("/campaigns/c1/start").json() == {"status": "parsing"}
    assert app.parse().status == "scheduled"


def test_other_filters_parse_the_list_again_and_keep_the_plan(app: AppHarness) -> None:
    start_at = ahead()
    app.ready(start_at=start_at)
    app.web.post("/campaigns/c1/start")
    app.web.put("/campaigns/c1", CONTENT | {"start_at": start_at, "where": "name == 'Ada'"})
    assert app.parse().status == "scheduled"


def test_a_scheduled_campaign_that_lacks_a_column_says_so_and_can_be_deleted(app: AppHarness) -> None:
    start_at = ahead()
    app.ready(start_at=start_at)
    app.web.post("/campaigns/c1/start")
    shown = app.web.put("/campaigns/c1", CONTENT | {"start_at": start_at, "text": "{{ city }}"}).json()
    assert (shown["status"], shown["missing_columns"]) == ("scheduled", ["city"])
    assert "city" in app.web.get("/campaigns/c1/status").json()["reason"]
    assert app.web.request("DELETE", "/campaigns/c1", b"").status == 204
    assert app.redis.zcard("postrider:schedule") == 0


def test_all_mistakes_are_named_at_once(app: AppHarness) -> None:
    wrong = {"subject": "{{", "start_at": "soon", "windows": ["never"], "timezone": "UTC", "tpm": 0}
    refused = app.web.put("/campaigns/c1", CONTENT | wrong)
    assert refused.status == 422
    assert {error["field"] for error in refused.json()["errors"]} == {"subject", "start_at", "windows", "tpm"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"start_at": "soon"}, "start_at"),
        ({"start_at": 5}, "start_at"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"windows": "Mon 09:00-10:00"}, "windows"),
        ({"windows": ["Mon 09:00-10:00"]}, "timezone"),
        ({"windows": ["never"], "timezone": "UTC"}, "windows"),
        ({"windows": ["00:00-01:00"] * 21, "timezone": "UTC"}, "windows"),
        ({"pause_after": 0}, "pause_after"),
        ({"pause_after": "10"}, "pause_after"),
        ({"timezone_column": "tz"}, "timezone_column"),
        ({"start_att": ahead()}, "start_att"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_schedule_is_422(app: AppHarness, fields: dict[str, Any], named: str) -> None:
    refused = app.web.put("/campaigns/c1", CONTENT | fields)
    assert refused.status == 422
    assert named in refused.detail
