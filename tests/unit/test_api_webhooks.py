"""POST /webhooks/sendgrid: accepts only requests that the right key has signed recently, and never has SendGrid send a
signed batch again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, Redis
from starlette.types import Message
from structlog.testing import capture_logs

from api import webhooks
from campaigns.event_kinds import Event, EventKind
from mail.providers.sendgrid_events import report_of
from storage import StoreUnavailable
from tests.support.app_harness import CSV, AppHarness
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.doubles.web import Answer, Web
from tests.support.ledger_harness import Exchanges

PATH = "/webhooks/sendgrid"
SIGNER = Signer()
ON = {"SENDGRID_WEBHOOK_PUBLIC_KEY": SIGNER.public_key}


def post(app: AppHarness, batch: object, **more: Any) -> Answer:
    body = batch if isinstance(batch, bytes) else json.dumps(batch).encode()
    return app.web.post(PATH, body, SIGNER.headers(body, **more))


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis, ON)


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


def status(app: AppHarness) -> dict[str, Any]:
    found: dict[str, Any] = app.web.get("/campaigns/c1/status").json()
    return found


def test_the_webhook_is_off_without_a_key(fake_redis: Redis) -> None:
    answer = post(AppHarness(fake_redis), [event()])
    assert answer.status == 404
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY" in answer.detail


def test_events_settle_rows_and_are_counted(sent: AppHarness) -> None:
    batch = [event(name="processed"), event(), event(), event("2", "bounce"), event("2", "spamreport")]
    answer = post(sent, [*batch, event("2", "group_unsubscribe"), event("1", "open")])
    assert answer.status == 200
    assert answer.json() == {"applied": 7, "ignored": 0, "settled": 2}
    found = status(sent)
    names = ("done", "unknown", "in_flight", "delivered", "bounced", "complained", "unsubscribed", "status")
    assert [found[name] for name in names] == [2, 0, 0, 1, 1, 1, 1, "completed"]
    assert b'postrider_bounced{campaign="c1"} 1.0' in sent.web.get("/metrics").body


def test_a_dropped_row_has_sendgrids_reason_without_the_address(sent: AppHarness) -> None:
    post(sent, [event(name="dropped", reason="Bounced Address: <ada@shop.test>\n\ud83d", status="5.0.0")])
    assert status(sent)["failed"] == 1
    assert sent.harness.ledger.reasons("c1", [1]) == {1: "dropped by SendGrid: Bounced Address: <***@shop.test> ?"}


def test_an_accepted_row_dropped_later_stays_done_and_the_export_shows_the_reason(sent: AppHarness) -> None:
    post(sent, [event(), event(name="dropped", reason="Spam Content: ada@shop.test")])
    assert (status(sent)["done"], status(sent)["failed"], status(sent)["dropped"]) == (1, 0, 1)
    assert b'postrider_dropped{campaign="c1"} 1.0' in sent.web.get("/metrics").body
    rows = sent.web.get("/campaigns/c1/recipients.csv?state=done").body.decode().splitlines()[1:]
    assert rows == ['"1","ada@shop.test","done","dropped by SendGrid: Spam Content: ***@shop.test"']


def test_an_event_without_a_row_is_counted_and_logged_without_an_address(
    sent: AppHarness,
) -> None:
    lost = {"event": "bounce", "email": "ada@shop.test", "sg_event_id": "x"}
    with capture_logs() as lines:
        answer = post(sent, [lost, lost, event(campaign_id="gone"), {"event": "invented"}, event("2", "open")])
    assert answer.json() == {"applied": 1, "ignored": 4, "settled": 1}
    metrics = sent.web.get("/metrics").body.decode()
    for kind, why, count in (
        ("bounced", "no_custom_args", 2),
        ("delivered", "unknown_campaign", 1),
        ("other", "other_kind", 1),
    ):
        assert f'postrider_events_unattributed_total{{kind="{kind}",why="{why}"}} {count}.0' in metrics
    told = [line for line in lines if line["event"] == "events_unattributed"]
    assert ("bounced", "no_custom_args", 2) in {(line["kind"], line["why"], line["count"]) for line in told}
    assert "ada@" not in str(lines)


@pytest.mark.parametrize("environment", [{}, {"API_TOKEN": "secret"}])
def test_the_signature_is_the_only_credential(fake_redis: Redis, environment: dict[str, str]) -> None:
    app = AppHarness(fake_redis, ON | environment).starlette
    far = Web(app, ("192.0.2.7", 50_000), {"Host": "mail.example.com", "User-Agent": "SendGrid Event API"})
    assert far.post(PATH, b"[]", SIGNER.headers(b"[]")).status == 200
    assert far.post(PATH, b"[]").status == 403
    assert far.post(f"{PATH}/x", b"[]", SIGNER.headers(b"[]")).status in {401, 403}


def suppressed(app: AppHarness, email: str = "ada@shop.test") -> tuple[bool, list[str]]:
    found = app.web.get(f"/suppressions?email={email}").json()
    return found["suppressed"], [entry["what"] for entry in found["entries"]]


def test_events_feed_the_suppression_list_also_those_without_a_row(sent: AppHarness) -> None:
    """Given bounces of two rows, and a late bounce, a complaint of another installation and a drop with addresses
    alone, when they come twice with other event ids, then each address is on the list once, with its reason.
    """
    for _ in range(2):
        batch = [event(name="bounce"), event("2", "bounce", type="blocked", email="bob@shop.test")]
        batch += [{"event": "bounce", "email": "Eve@shop.test", "sg_message_id": ""}]
        batch += [event("9", "spamreport", "gone", email="dan@shop.test")]
        batch += [{"event": "dropped", "reason": "Unsubscribed Address", "email": "una@shop.test"}]
        assert post(sent, batch).status == 200
        assert suppressed(sent) == (True, ["bounced"])
        assert suppressed(sent, "bob@shop.test") == (False, [])
        assert suppressed(sent, "eve@shop.test") == (True, ["bounced"])
        assert suppressed(sent, "dan@shop.test") == (True, ["complained"])
        assert suppressed(sent, "una@shop.test") == (True, ["unsubscribed"])


def test_a_row_whose_address_has_bounced_is_not_admitted_any_more(app: AppHarness) -> None:
    """Given a row on the queue, when the provider reports its address's bounce by the address alone, then the row
    fails instead of being sent.
    """
    app.ready(CSV, tpm=10_000_000)
    app.harness.controls.start("c1")
    app.harness.prefetch(app.harness.catalog.get("c1"))
    (batch,) = app.harness.batches()
    assert post(app, [{"event": "bounce", "email": "R1@shop.test", "sg_message_id": ""}]).status == 200
    assert app.harness.admit(batch).granted == {2}
    assert app.harness.ledger.reasons("c1", [1]) == {1: "suppressed"}


def test_who_subscribes_again_is_off_the_list(sent: AppHarness) -> None:
    now = int(time.time())
    again = event(name="group_resubscribe", timestamp=now - 5)
    post(sent, [again, event(name="group_unsubscribe", timestamp=now - 10), again])
    assert suppressed(sent) == (False, ["resubscribed"])


@pytest.mark.parametrize("broken", ["suppressions", "rows"])
def test_an_event_is_answered_once_it_is_written_and_a_failure_makes_the_provider_send_it_again(
    sent: AppHarness, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise StoreUnavailable if broken == "suppressions" else RedisConnectionError

    parts = sent.starlette.state.components
    with monkeypatch.context() as patch:
        if broken == "suppressions":
            patch.setattr(parts.suppressions, "hashes", fail)
        else:
            patch.setattr(parts.events, "apply", fail)
        assert post(sent, [event(name="bounce")]).status == 503
    assert status(sent)["bounced"] == 0
    assert post(sent, [event(name="bounce")]).status == 200
    assert (status(sent)["bounced"], suppressed(sent)) == (1, (True, ["bounced"]))


def test_a_thousand_events_take_few_round_trips(sent: AppHarness) -> None:
    """Given bounces, complaints and new subscriptions of a thousand recipients in one request, then Redis is asked a
    few times: for the list, for the campaign, and to record.
    """
    names = ("bounce", "spamreport", "group_unsubscribe", "group_resubscribe")
    batch = [event(str(row), names[row % 4], email=f"p{row}@shop.test") for row in range(1, 1001)]
    post(sent, batch)  # once Redis knows the scripts
    with Exchanges(sent.redis) as exchanges:
        assert post(sent, [*batch[:-1], event("1000", "bounce", email="new@shop.test")]).status == 200
    assert exchanges.count <= 8
    assert suppressed(sent, "new@shop.test") == (True, ["bounced"])


def test_opens_and_clicks_count_recipients_and_opens_by_machines_apart(sent: AppHarness) -> None:
    batch = [event(name="open"), event(name="open", sg_machine_open=False), event(name="click"), event(name="click")]
    batch += [event("2", "open", sg_machine_open=True)]
    for _ in range(2):
        post(sent, batch)
    found = status(sent)
    assert (found["opened"], found["opened_by_machines"], found["clicked"]) == (1, 1, 1)
    assert b'postrider_opened_by_machines{campaign="c1"} 1.0' in sent.web.get("/metrics").body
    [ada] = sent.web.get("/campaigns/c1/recipients?email=ada@shop.test").json()["recipients"]
    assert [one["event"] for one in ada["events"]] == ["opened", "clicked"]


GOOD = b'[{"event":"processed"}]'


@pytest.mark.parametrize(
    "headers",
    [
        dict,
        lambda: Signer().headers(GOOD),
        lambda: SIGNER.headers(GOOD + b" "),
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Timestamp": str(int(time.time()) + 1)},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Timestamp": ""},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Timestamp": "soon"},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Timestamp": "\u00b2"},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Timestamp": "9" * 5000},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": ""},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": "x"},
        lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": "\u00e9"},
        lambda: (
            SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(b"not DER").decode()}
        ),
    ],
)
def test_a_request_that_the_key_has_not_signed_is_refused(
    app: AppHarness, headers: Callable[[], Mapping[str, str]]
) -> None:
    answer = app.web.post(PATH, GOOD, headers())
    assert answer.status == 403
    assert answer.detail


#: Headers of requests that are refused before their body is read. Each test makes its own, since a signature expires.
UNSIGNED: tuple[Callable[[], Mapping[str, str]], ...] = (
    dict,
    lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": ""},
    lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": "not base64!"},
    lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(b"x" * 73).decode()},
    lambda: SIGNER.headers(GOOD) | {"X-Twilio-Email-Event-Webhook-Timestamp": "soon"},
    lambda: SIGNER.headers(GOOD, age_s=25 * 3600 + 10),
    lambda: SIGNER.headers(GOOD, age_s=-60),
    lambda: SIGNER.headers(GOOD) | {"Content-Length": str(webhooks.MAX_BATCH_BYTES + 1)},
    lambda: SIGNER.headers(GOOD) | {"Content-Encoding": "gzip"},
)


@pytest.mark.parametrize("headers", UNSIGNED)
def test_the_body_is_not_read_until_the_headers_are_right(
    app: AppHarness, headers: Callable[[], Mapping[str, str]]
) -> None:
    scope = app.web._scope("POST", PATH, headers())
    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    async def receive() -> Message:
        raise AssertionError("the server read the body")

    asyncio.run(app.starlette(scope, receive, send))
    assert answers[0]["status"] in {403, 413, 415}


@pytest.mark.parametrize(
    ("age_s", "expected"), [(-600, 403), (-60, 403), (-5, 200), (0, 200), (24 * 3600 + 60, 200), (25 * 3600 + 60, 403)]
)
def test_old_timestamps_and_timestamps_in_the_future_are_refused(app: AppHarness, age_s: float, expected: int) -> None:
    assert post(app, [], age_s=age_s).status == expected


def test_the_greatest_age_of_a_timestamp_is_a_setting(fake_redis: Redis) -> None:
    assert post(AppHarness(fake_redis, ON | {"WEBHOOK_MAX_AGE_S": "300"}), [], age_s=310).status == 403


def test_nothing_in_a_signed_batch_makes_sendgrid_send_it_again(sent: AppHarness) -> None:
    """Given events that are malformed, of no row, or of others, then the rest of the batch counts and the response is
    200.
    """
    others: list[Any] = [None, 1, "x", [], {}, {"event": "delivered"}]
    campaign_ids: list[Any] = ["unknown", "a b", "", 7, None, {}]
    rows: list[Any] = ["", "0", "-1", "01", "1.0", "3", "4294967296", "9" * 30, "\ud800", None, True, {}]
    names: list[Any] = ["invented", "", None, []]
    others += [event(campaign_id=campaign_id) for campaign_id in campaign_ids]
    others += [event(row) for row in rows] + [event(name=name) for name in names]
    answer = post(sent, [*others, event(useragent="\ud83d", url="x" * 5000)])
    assert (answer.status, answer.json()) == (200, {"applied": 1, "ignored": len(others), "settled": 1})
    assert status(sent)["delivered"] == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{}", b"[", b"null", b"[" * 100_000])
def test_a_body_that_is_not_a_batch_is_422(app: AppHarness, body: bytes) -> None:
    assert post(app, body).status == 422


def test_a_batch_has_a_size_limit(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_BATCH_BYTES", 1000)
    assert post(app, b"[" + b" " * 1000 + b"]").status == 413


def test_without_redis_sendgrid_is_asked_to_retry(sent: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RedisConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(sent.redis, "execute_command", fail)
        assert post(sent, [event()]).status == 503
    assert post(sent, [event()]).json()["applied"] == 1


def test_a_row_may_be_a_number() -> None:
    assert report_of(event(7)).event == Event("c1", 7, EventKind.DELIVERED)
