"""Warnings that a person must accept before a campaign starts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis import Redis

from campaigns import keys
from campaigns.models import Status
from tests.support.app_harness import CONTENT, CSV, AppHarness

#: Sent from a free mailbox, with a tag of another system.
DOUBTFUL: dict[str, Any] = CONTENT | {"from": "shop@gmail.com", "text": "Hi *|FNAME|*"}
CODES = ["foreign_tag"]


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def status(app: AppHarness) -> str:
    return str(app.web.get("/campaigns/c1/status").json()["status"])


def test_a_ready_campaign_starts_once_its_warnings_are_accepted(app: AppHarness) -> None:
    app.ready(**DOUBTFUL)
    refused = app.web.post("/campaigns/c1/start")
    assert refused.status == 409
    assert refused.json()["unaccepted"] == CODES
    assert "accept_warnings" in refused.detail
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": False}).status == 409
    assert status(app) == "ready"
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).json() == {"status": "running"}
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_a_campaign_without_such_warnings_starts_without_a_body(app: AppHarness) -> None:
    app.ready()
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_a_pause_does_not_ask_again(app: AppHarness) -> None:
    app.ready(**DOUBTFUL)
    app.web.post("/campaigns/c1/start", {"accept_warnings": True})
    app.web.post("/campaigns/c1/pause")
    assert app.web.post("/campaigns/c1/resume").json() == {"status": "running"}


def test_missing_columns_are_named_first_and_cannot_be_accepted(app: AppHarness) -> None:
    app.ready(**DOUBTFUL | {"subject": "{{ nmae }}"})
    refused = app.web.post("/campaigns/c1/start", {"accept_warnings": True})
    assert (refused.status, "lacks: nmae" in refused.detail) == (409, True)


def test_a_start_during_parsing_wants_them_accepted_too(app: AppHarness) -> None:
    app.make(**DOUBTFUL)
    app.upload()
    assert app.web.post("/campaigns/c1/start").json()["unaccepted"] == CODES
    assert app.parse().status is Status.READY
    app.upload(CSV + b"Eve,eve@shop.test\n")
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).status == 200
    assert app.parse().status is Status.RUNNING


def test_content_that_is_put_after_a_start_during_parsing_is_not_accepted_yet(app: AppHarness) -> None:
    app.make(**DOUBTFUL)
    app.upload()
    app.web.post("/campaigns/c1/start", {"accept_warnings": True})
    app.web.put("/campaigns/c1", DOUBTFUL | {"subject": "Other"})
    assert app.parse().status is Status.READY
    assert app.web.get("/campaigns/c1").json()["reason"] == "accept the warnings to start: foreign_tag"


def test_content_without_warnings_that_is_put_after_the_start_goes_out(app: AppHarness) -> None:
    app.make()
    app.upload()
    app.web.post("/campaigns/c1/start")
    app.web.put("/campaigns/c1", CONTENT | {"subject": "Other"})
    assert app.parse().status is Status.RUNNING


def test_warnings_about_the_list_count_as_well(app: AppHarness) -> None:
    app.ready(**DOUBTFUL)
    app.redis.hset(keys.campaign("c1"), "unaccepted", msgspec.json.encode(["encoding_guessed"]))
    assert app.web.post("/campaigns/c1/start").json()["unaccepted"] == ["encoding_guessed", *CODES]


@pytest.mark.parametrize("body", [b"true", b'{"accept_warnings": 1}', b'{"accept": true}'])
def test_a_wrong_body_is_422(app: AppHarness, body: bytes) -> None:
    app.ready()
    assert app.web.post("/campaigns/c1/start", body).status == 422
    assert status(app) == "ready"
