"""Test emails over HTTP: marked, limited, and without any effect on the campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeRedis
from redis import Redis, RedisError
from structlog.testing import capture_logs

from campaigns import keys
from campaigns.event_kinds import EventKind, Unattributed, Why
from mail.message import Message
from mail.outcome import Kind, Outcome
from mail.providers.sendgrid import payload
from mail.providers.sendgrid_events import report_of
from tests.support import mails
from tests.support.app_harness import AppHarness
from tests.support.doubles import sendgrid_events
from tests.support.ledger_harness import Clock

PATH = "/campaigns/c1/test-send"


class Recording:
    """A provider that takes every email, or has the outcome or error that a test sets."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.outcome: Outcome | Exception = Outcome(Kind.ACCEPTED)

    async def send(self, message: Message) -> Outcome:
        self.sent.append(message)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def provider() -> Recording:
    return Recording()


@pytest.fixture
def app(fake_redis: Redis, clock: Clock, provider: Recording) -> AppHarness:  # noqa: ARG001 - the time stands still
    return AppHarness(fake_redis, overrides={"providers": {"default": provider}})


def post(app: AppHarness, *to: str, **more: Any) -> Any:
    return app.web.post(PATH, {"to": list(to or ["me@shop.test"]), **more})


def test_an_email_of_a_row_goes_to_each_address(app: AppHarness, provider: Recording) -> None:
    app.ready()
    sent = post(app, "me@shop.test", "you@shop.test", row=2)
    assert sent.status == 200
    assert sent.json() == {
        "results": [
            {"to": "me@shop.test", "outcome": "accepted", "reason": None},
            {"to": "you@shop.test", "outcome": "accepted", "reason": None},
        ]
    }
    assert [message.to for message in provider.sent] == ["me@shop.test", "you@shop.test"]
    assert {(message.subject, message.text) for message in provider.sent} == {("[Test] Hello Bob", "Hi Bob")}


def test_given_columns_need_no_list(app: AppHarness, provider: Recording) -> None:
    app.make()
    assert post(app, columns={"name": "Ann"}).status == 200
    assert provider.sent[0].subject == "[Test] Hello Ann"
    assert post(app).status == 409
    assert post(app, columns={"nmae": "Ann"}).status == 422


def test_a_test_email_changes_no_count_and_has_no_row(app: AppHarness, provider: Recording) -> None:
    app.ready()
    before = {key: app.redis.dump(key) for key in app.redis.keys("*") if b"{c1}" in key}
    post(app, row=1)
    after = {key: app.redis.dump(key) for key in app.redis.keys("*") if b"{c1}" in key}
    assert {key for key in after if after[key] != before.get(key)} == {keys.of("c1", "history").encode()}
    assert payload(provider.sent[0])["custom_args"] == {"campaign_id": "c1", "row": "0"}


def test_the_providers_events_of_a_test_email_belong_to_no_row() -> None:
    event = sendgrid_events.event(row="0", name="bounce")
    assert report_of(event).event == Unattributed(EventKind.BOUNCED, Why.TEST_EMAIL)


def test_each_address_gets_one_email(app: AppHarness, provider: Recording) -> None:
    app.ready()
    assert len(post(app, "me@shop.test", "ME@shop.test", "Me <me@shop.test>").json()["results"]) == 1
    assert len(provider.sent) == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "to"),
        ({"to": []}, "$.to"),
        ({"to": ["a@b.test"] * 11}, "$.to"),
        ({"to": ["me"]}, "'me' is not an email address"),
        ({"to": ["a@b.test"], "row": 1, "columns": {}}, "one of the two"),
    ],
)
def test_a_wrong_request_is_422_and_sends_nothing(
    app: AppHarness, provider: Recording, body: object, named: str
) -> None:
    app.ready()
    refused = app.web.post(PATH, body)
    assert (refused.status, named in refused.detail) == (422, True)
    assert provider.sent == []


def test_outcomes_are_answered_in_the_providers_words(app: AppHarness, provider: Recording) -> None:
    app.ready()
    provider.outcome = Outcome(Kind.REFUSED, "401 the key is wrong")
    assert post(app).json()["results"][0] == {
        "to": "me@shop.test", "outcome": "refused", "reason": "401 the key is wrong",
    }  # fmt: skip
    provider.outcome = ValueError("no me@shop.test")
    result = post(app).json()["results"][0]
    assert (result["outcome"], result["reason"]) == ("unknown", "ValueError while sending")


def test_sixty_are_sent_within_any_minute(app: AppHarness, clock: Clock, provider: Recording) -> None:
    app.ready()
    for number in range(6):
        assert post(app, *(f"a{one}@shop.test" for one in range(10))).status == 200
        clock.advance(1000 if number < 5 else 0)
    refused = post(app)
    assert refused.status == 429
    assert refused.headers["retry-after"] == "55"
    clock.advance(54_999)
    assert post(app).status == 429
    clock.advance(1)
    assert post(app, *(f"b{one}@shop.test" for one in range(10))).status == 200
    assert post(app).status == 429
    assert len(provider.sent) == 70


def test_a_request_that_is_too_large_for_the_rest_sends_nothing(
    app: AppHarness, clock: Clock, provider: Recording
) -> None:
    app.ready()
    for _ in range(11):
        post(app, *(f"a{one}@shop.test" for one in range(5)))
    clock.advance(30_000)
    refused = post(app, *(f"a{one}@shop.test" for one in range(6)))
    assert (refused.status, refused.headers["retry-after"]) == (429, "30")
    assert post(app, *(f"a{one}@shop.test" for one in range(5))).status == 200
    assert len(provider.sent) == 60


def test_the_limit_holds_for_all_campaigns_together(app: AppHarness) -> None:
    app.ready()
    app.ready(campaign_id="c2")
    for _ in range(6):
        post(app, *(f"a{one}@shop.test" for one in range(10)))
    assert app.web.post("/campaigns/c2/test-send", {"to": ["me@shop.test"]}).status == 429


def test_an_email_that_cannot_be_rendered_costs_nothing_of_the_limit(app: AppHarness) -> None:
    app.ready(text="{{ name|int }}")
    assert post(app).status == 422
    assert not app.redis.exists(keys.TEST_SENDS)


def test_nothing_is_sent_while_the_breaker_is_open(app: AppHarness, clock: Clock, provider: Recording) -> None:
    app.ready()
    opened: dict[Any, Any] = {"level": 1, "until": clock.now_ms + 3000, "why": "429 slow down"}
    app.redis.hset(keys.breaker("outbox"), mapping=opened)
    refused = post(app)
    assert (refused.status, refused.headers["retry-after"]) == (503, "3")
    assert "429 slow down" in refused.detail
    clock.advance(3000)
    assert post(app).status == 200
    assert app.redis.hget(keys.breaker("outbox"), "level") == b"1"
    assert len(provider.sent) == 1


def test_nothing_is_sent_while_redis_is_away(
    app: AppHarness, provider: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.ready()
    campaign = app.harness.catalog.get("c1")

    def fail(*_args: Any, **_named: Any) -> Any:
        raise RedisError("away")

    monkeypatch.setattr("campaigns.catalog.Catalog.get", lambda *_: campaign)
    monkeypatch.setattr(FakeRedis, "execute_command", fail)
    assert post(app, columns={"name": "Ann"}).status == 503
    assert provider.sent == []


def test_no_address_is_logged(app: AppHarness, provider: Recording) -> None:
    app.ready()
    provider.outcome = Outcome(Kind.REJECTED, "no")
    with capture_logs() as lines:
        post(app, "me@shop.test")
    assert [line["event"] for line in lines if "test" in line["event"]] == ["test_emails_sent"]
    assert "me@" not in str(lines)


def test_the_outbox_keeps_test_emails_apart(fake_redis: Redis, tmp_path: Path) -> None:
    app = AppHarness(fake_redis, {"OUTBOX_DIR": str(tmp_path)})
    app.ready()
    post(app, "me@shop.test", "you@shop.test")
    files = sorted((tmp_path / "_test" / "c1").glob("*.eml"))
    assert sorted(mails.read(file)["To"] for file in files) == ["me@shop.test", "you@shop.test"]
    assert not (tmp_path / "c1").exists()
