"""A webhook whose key is wrong shows that: `GET /accounts`, the metrics, and few lines of log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, Redis
from structlog.testing import capture_logs

from api.http import refusal_log
from tests.support.app_harness import AppHarness
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.doubles.sns import TOPIC, SnsDouble, headers

SIGNER, OTHER = Signer(), Signer()
ON = {"SENDGRID_API_KEY": "SG.x", "SENDGRID_WEBHOOK_PUBLIC_KEY": SIGNER.public_key}
BODY = json.dumps([event()]).encode()
NEVER = {"last_event_at": None, "refused_signatures": 0, "last_refused_at": None, "last_refused_reason": None}


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis, ON)


def post(app: AppHarness, sent: dict[str, str]) -> int:
    return app.web.post("/webhooks/sendgrid", BODY, sent).status


def webhook(app: AppHarness) -> dict[str, Any]:
    found: dict[str, Any] = app.web.get("/accounts").json()[0]["webhook"]
    return found


def test_a_wrong_key_is_counted_and_shown_at_once(app: AppHarness) -> None:
    assert webhook(app) == {"enabled": True, **NEVER}
    assert post(app, SIGNER.headers(BODY)) == 200
    taken = webhook(app)
    assert (taken["refused_signatures"], taken["last_refused_at"]) == (0, None)
    assert taken["last_event_at"] is not None
    assert [post(app, OTHER.headers(BODY)), post(app, SIGNER.headers(BODY, age_s=10**6))] == [403, 403]
    found = webhook(app)
    assert found["refused_signatures"] == 2
    assert found["last_refused_at"] >= found["last_event_at"] == taken["last_event_at"]
    assert "signed more than" in found["last_refused_reason"]
    metrics = app.web.get("/metrics").body.decode()
    for why in ("wrong", "stale"):
        assert f'postrider_webhook_refused_total{{provider="sendgrid",why="{why}"}} 1.0' in metrics


def test_what_has_no_signature_at_all_may_come_from_anyone(app: AppHarness) -> None:
    assert [post(app, {}), post(app, SIGNER.headers(BODY) | {"X-Twilio-Email-Event-Webhook-Signature": "x"})] == [
        403
    ] * 2
    assert webhook(app) == {"enabled": True, **NEVER}
    assert (
        'postrider_webhook_refused_total{provider="sendgrid",why="unsigned"} 2.0'
        in app.web.get("/metrics").body.decode()
    )


def test_the_figures_survive_a_restart(app: AppHarness, fake_redis: Redis) -> None:
    post(app, OTHER.headers(BODY))
    assert webhook(AppHarness(fake_redis, ON))["refused_signatures"] == 1


def test_many_refusals_are_few_lines_of_log(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as lines:
        for _ in range(5):
            post(app, OTHER.headers(BODY))
        monkeypatch.setattr(refusal_log, "LOG_EVERY_S", 0.0)
        post(app, OTHER.headers(BODY))
    told = [(line["count"], line["provider"]) for line in lines if line["event"] == "events_refused"]
    assert told == [(1, "sendgrid"), (5, "sendgrid")]


def test_a_refusal_is_a_refusal_also_while_redis_is_away(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(app.redis, "execute_command", fail)
    assert post(app, OTHER.headers(BODY)) == 403


def test_the_webhook_of_ses_counts_alike(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, {"EMAIL_PROVIDER": "ses", "SES_REGION": "eu-west-1", "SES_TOPIC_ARN": TOPIC})
    stale = SnsDouble().signed({"Type": "Notification", "Message": "{}"}, age_s=10**6)
    path = "/webhooks/ses"
    assert app.web.post(path, json.dumps(stale).encode(), headers()).status == 403
    assert app.web.post(path, b"{}", headers(topic=TOPIC + "x")).status == 403
    assert app.web.post(path, b"{}").status == 403
    assert (webhook(app)["enabled"], webhook(app)["refused_signatures"]) == (True, 2)


def test_a_provider_without_events_has_no_webhook(fake_redis: Redis) -> None:
    assert AppHarness(fake_redis).web.get("/accounts").json()[0]["webhook"] is None
    found = AppHarness(fake_redis, {"SENDGRID_API_KEY": "SG.x"}).web.get("/accounts").json()[0]["webhook"]
    assert found == {"enabled": False, **NEVER}
