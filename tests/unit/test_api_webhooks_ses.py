"""POST /webhooks/ses: accepts only what SNS has signed for our topic, and confirms only that topic's subscription."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, Redis
from starlette.types import Message
from structlog.testing import capture_logs

from api import webhooks
from mail.providers.sns import Sns
from tests.support.app_harness import CSV, AppHarness
from tests.support.doubles.sns import CERTIFICATE_URL, HOST, TOPIC, SnsDouble, event, headers
from tests.support.doubles.web import Answer, Web

PATH = "/webhooks/ses"
ON = {"SES_TOPIC_ARN": f"arn:aws:sns:us-east-1:123456789012:other, {TOPIC}"}
PERMANENT = {"bounceType": "Permanent", "bounceSubType": "General"}


@pytest.fixture(scope="module")
def signer() -> SnsDouble:
    return SnsDouble()


@pytest.fixture
def double(signer: SnsDouble) -> SnsDouble:
    """The double, without the fetches of earlier tests."""
    signer.fetched = []
    signer.is_away = False
    return signer


def harness(redis: Redis, double: SnsDouble, environment: Mapping[str, str] = ON) -> AppHarness:
    app = AppHarness(redis, environment)
    components = app.starlette.state.components
    app.starlette.state.components = replace(components, sns=Sns(components.settings.ses_topic_arns, double.fetch))
    return app


@pytest.fixture
def app(fake_redis: Redis, double: SnsDouble) -> AppHarness:
    return harness(fake_redis, double)


@pytest.fixture
def sent(app: AppHarness) -> AppHarness:
    """Two rows handed to the provider: the first is unknown, the second in flight."""
    app.ready(CSV, tpm=10_000_000)
    app.harness.controls.start("c1")
    app.harness.prefetch(app.harness.catalog.get("c1"))
    (batch,) = app.harness.batches()
    app.harness.admit(batch)
    app.harness.settle(batch, [1], "unknown", reason="no answer")
    return app


def post(app: AppHarness, message: dict[str, Any] | bytes, web: Web | None = None, **more: str) -> Answer:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return (web or app.web).post(PATH, body, headers(**more))


def status(app: AppHarness) -> dict[str, Any]:
    found: dict[str, Any] = app.web.get("/campaigns/c1/status").json()
    return found


def test_the_webhook_is_off_without_a_topic(fake_redis: Redis, double: SnsDouble) -> None:
    answer = post(harness(fake_redis, double, {}), double.notification(event()))
    assert answer.status == 404
    assert "SES_TOPIC_ARN" in answer.detail


def test_events_settle_rows_and_are_counted(sent: AppHarness, double: SnsDouble) -> None:
    events = [
        event("Send"),
        event("Delivery"),
        event("Delivery"),
        event("Bounce", "2", bounce=PERMANENT),
        event("Complaint", "2"),
        event("Open"),
    ]
    answers = [post(sent, double.notification(found)) for found in events]
    assert [answer.status for answer in answers] == [200] * 6
    assert [answer.json()["settled"] for answer in answers] == [1, 0, 0, 1, 0, 0]
    found = status(sent)
    names = ("done", "unknown", "in_flight", "delivered", "bounced", "complained", "status")
    assert [found[name] for name in names] == [2, 0, 0, 1, 1, 1, "completed"]


def test_a_rejected_email_fails_with_the_reason_of_ses(sent: AppHarness, double: SnsDouble) -> None:
    post(sent, double.notification(event("Reject", reject={"reason": "Bad content of ada@shop.test"})))
    assert status(sent)["failed"] == 1
    words = "dropped by Amazon SES: Bad content of ***@shop.test"
    assert sent.harness.ledger.reasons("c1", [1]) == {1: words}


def test_other_messages_are_counted_and_never_sent_again(sent: AppHarness, double: SnsDouble) -> None:
    texts = ["Successfully validated SNS topic", json.dumps(event(campaign_id="gone")), json.dumps(event(row="7"))]
    with capture_logs() as lines:
        answers = [post(sent, double.notification(text)) for text in texts]
    assert [answer.json() for answer in answers] == [{"applied": 0, "ignored": 1, "settled": 0}] * 3
    found = {(line["kind"], line["why"]) for line in lines if line["event"] == "events_unattributed"}
    assert found == {("other", "other_kind"), ("delivered", "unknown_campaign"), ("delivered", "unknown_row")}
    assert "ada@" not in str(lines)


def test_a_subscription_of_our_topic_is_confirmed(app: AppHarness, double: SnsDouble) -> None:
    answer = post(app, double.confirmation(), kind="SubscriptionConfirmation")
    assert (answer.status, answer.json()) == (200, {"applied": 0, "ignored": 0, "settled": 0})
    (certificate, asked) = double.fetched
    assert certificate == CERTIFICATE_URL
    assert asked.startswith(f"https://{HOST}/?Action=ConfirmSubscription&")


def test_no_other_subscription_is_confirmed(app: AppHarness, double: SnsDouble) -> None:
    """Given confirmations of another topic, without a right signature, or of an end, then no address is called."""
    other = double.confirmation(TopicArn=f"{TOPIC}2")
    assert post(app, other).status == 403
    assert post(app, {**double.confirmation(), "Token": "other"}).status == 403
    assert post(app, SnsDouble().confirmation()).status == 403
    assert post(app, double.confirmation("UnsubscribeConfirmation")).status == 200
    assert double.fetched == [CERTIFICATE_URL]


def test_while_sns_is_away_the_message_is_asked_for_again(app: AppHarness, double: SnsDouble) -> None:
    double.is_away = True
    answer = post(app, double.confirmation())
    assert (answer.status, "Retry-After".lower() in answer.headers) == (503, True)
    assert "t0k3n" not in answer.detail
    double.is_away = False
    assert post(app, double.confirmation()).status == 200


@pytest.mark.parametrize("environment", [{}, {"API_TOKEN": "secret"}])
def test_the_signature_is_the_only_credential(
    fake_redis: Redis, double: SnsDouble, environment: dict[str, str]
) -> None:
    app = harness(fake_redis, double, ON | environment)
    far = Web(app.starlette, ("192.0.2.7", 50_000), {"Host": "mail.example.com"})
    assert post(app, double.notification("x"), far).status == 200
    assert far.post(PATH, json.dumps(double.notification("x")).encode()).status == 403
    assert far.post(f"{PATH}/x", b"{}", headers()).status in {401, 403}


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{}", b"[", b"null", b"[" * 100_000, b'{"Type": "Notification"}'])
def test_a_body_that_is_no_message_is_refused(app: AppHarness, body: bytes) -> None:
    assert post(app, body).status == 403


UNSIGNED: tuple[dict[str, str], ...] = (
    {"x-amz-sns-topic-arn": ""},
    {"x-amz-sns-topic-arn": f"{TOPIC}2"},
    {"x-amz-sns-rawdelivery": "true"},
    {"Content-Length": str(webhooks.MAX_SNS_BYTES + 1)},
    {"Content-Encoding": "gzip"},
)


@pytest.mark.parametrize("changes", UNSIGNED)
def test_the_body_is_not_read_until_the_headers_are_right(app: AppHarness, changes: dict[str, str]) -> None:
    scope = app.web._scope("POST", PATH, {**headers(), **changes})
    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    async def receive() -> Message:
        raise AssertionError("the server read the body")

    asyncio.run(app.starlette(scope, receive, send))
    assert answers[0]["status"] in {403, 413, 415}


def test_a_message_has_a_size_limit(app: AppHarness, double: SnsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_SNS_BYTES", 1000)
    assert post(app, double.notification("x" * 1000)).status == 413


def test_without_redis_sns_is_asked_to_retry(
    sent: AppHarness, double: SnsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RedisConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(sent.redis, "execute_command", fail)
        assert post(sent, double.notification(event())).status == 503
    assert post(sent, double.notification(event())).json()["applied"] == 1
