"""A webhook whose key is wrong shows that: `GET /accounts`, the metrics, and few lines of log."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, Redis
from structlog.testing import capture_logs

from api import lifecycle
from api.http import refusal_log
from campaigns import keys
from campaigns.event_kinds import Refusal
from tests.support.app_harness import AppHarness
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.doubles.sns import TOPIC, SnsDouble, headers
from tests.support.ledger_harness import Exchanges

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
    """What the API shows once the figures are written, as the server does once per second."""
    app.starlette.state.components.webhook_figures.flush()
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
    webhook(app)
    assert webhook(AppHarness(fake_redis, ON))["refused_signatures"] == 1


def test_many_refusals_are_few_lines_of_log(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as lines:
        for _ in range(5):
            post(app, OTHER.headers(BODY))
        monkeypatch.setattr(refusal_log, "LOG_EVERY_S", 0.0)
        post(app, OTHER.headers(BODY))
    told = [(line["count"], line["provider"]) for line in lines if line["event"] == "events_refused"]
    assert told == [(1, "sendgrid"), (5, "sendgrid")]


def test_a_refusal_is_a_refusal_also_while_redis_is_away_and_is_counted_later(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RedisConnectionError

    figures = app.starlette.state.components.webhook_figures
    with monkeypatch.context() as patch:
        patch.setattr(app.redis, "execute_command", fail)
        for _ in range(2):
            assert post(app, OTHER.headers(BODY)) == 403
            with pytest.raises(RedisConnectionError):
                figures.flush()
    assert webhook(app)["refused_signatures"] == 2
    assert webhook(app)["refused_signatures"] == 2


def test_many_refusals_are_one_write(app: AppHarness, fake_redis: Redis) -> None:
    for _ in range(50):
        post(app, OTHER.headers(BODY))
    assert not fake_redis.exists(keys.WEBHOOKS)
    with Exchanges(fake_redis) as exchanges:
        app.starlette.state.components.webhook_figures.flush()
        app.starlette.state.components.webhook_figures.flush()
    assert exchanges.count <= 3  # one call, and two more if Redis does not know the script yet


def test_the_server_writes_the_figures_by_itself_and_when_it_stops(app: AppHarness) -> None:
    async def run() -> None:
        async with lifecycle.lifespan(app.starlette):
            figures.took("sendgrid")
            async with asyncio.timeout(30):
                while figures.states() == {}:  # noqa: ASYNC110 - another thread writes them
                    await asyncio.sleep(0.05)
            figures.refused("sendgrid", Refusal.WRONG, "wrong")

    figures = app.starlette.state.components.webhook_figures
    asyncio.run(run())
    assert figures.states()["sendgrid"].refused_signatures == 1


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
