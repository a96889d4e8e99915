"""GET /accounts: the account's limit, its emails of the last minute, and its circuit breaker; no secret, no write."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis import Redis

from campaigns import keys
from tests.support.app_harness import AppHarness

KEY = "SG.a-secret-key"


def account(app: AppHarness) -> Any:
    answer = app.web.get("/accounts")
    assert answer.status == 200
    [found] = answer.json()
    return found


def window(app: AppHarness, key: str, sent: int, age_ms: int = 0) -> None:
    """Fill a sliding window, as `lib/window.lua` describes it."""
    at = int(time.time() * 1000) - age_ms
    app.redis.hset(key, mapping={str(at // 100): sent, "sum": sent, "tail": at // 100, "last": at})


def contents(app: AppHarness) -> dict[bytes, Any]:
    return {key: app.redis.dump(key) for key in app.redis.scan_iter()}


def test_an_idle_account(fake_redis: Redis) -> None:
    assert account(AppHarness(fake_redis)) == {
        "name": "default",
        "provider": "outbox",
        "tpm": None,
        "sent_last_minute": 0,
        "breaker": "closed",
        "reason": None,
        "webhook": None,
        "fallback": None,
    }


def test_without_a_limit_the_campaigns_windows_are_added_up(fake_redis: Redis) -> None:
    # Given emails of two campaigns in the last minute, and older ones of a third
    app = AppHarness(fake_redis)
    for campaign_id, sent, age_ms in (("c1", 5, 0), ("c2", 7, 30_000), ("c3", 11, 70_000)):
        app.make(campaign_id)
        window(app, keys.of(campaign_id, "window"), sent, age_ms)
    # And a running campaign that is not among the newest
    window(app, keys.of("c4", "window"), 100)
    app.redis.sadd(keys.RUNNING, "c4")
    assert account(app)["sent_last_minute"] == 112


def test_with_a_limit_the_accounts_window_counts(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, {"PROVIDER_TPM": "600"})
    app.make()
    window(app, keys.of("c1", "window"), 5)
    window(app, keys.account("outbox"), 9)
    found = account(app)
    assert (found["tpm"], found["sent_last_minute"]) == (600, 9)


@pytest.mark.parametrize(
    ("until_s", "probe_s", "state"), [(60, 0, "open"), (-1, 60, "open"), (-2, -1, "half-open"), (-1, 0, "half-open")]
)
def test_the_breaker_is_shown_with_the_providers_words(
    fake_redis: Redis, until_s: int, probe_s: int, state: str
) -> None:
    app = AppHarness(fake_redis)
    now = int(time.time() * 1000)
    fields: dict[Any, Any] = {
        "level": 2,
        "until": now + until_s * 1000,
        "probe_until": now + probe_s * 1000,
        "why": "429: slow down",
    }
    app.redis.hset(keys.breaker("outbox"), mapping=fields)
    found = account(app)
    assert (found["breaker"], found["reason"]) == (state, "429: slow down")
    # And a closed one has no reason, though the words of the last trouble are still stored
    app.redis.hset(keys.breaker("outbox"), "level", 0)
    found = account(app)
    assert (found["breaker"], found["reason"]) == ("closed", None)


def test_the_response_shows_no_secret_and_reading_changes_nothing(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, {"SENDGRID_API_KEY": KEY})
    window(app, keys.account("sendgrid"), 3, 70_000)
    before = contents(app)
    answer = app.web.get("/accounts")
    assert answer.json()[0]["provider"] == "sendgrid"
    assert KEY.encode() not in answer.body
    assert contents(app) == before


TWO = {
    "SENDGRID_API_KEY": KEY,
    "PROVIDER_FALLBACK": "news",
    "ACCOUNTS": "news",
    "ACCOUNT_NEWS_SMTP_URL": f"smtp://u:{KEY}@localhost",
    "ACCOUNT_NEWS_TPM": "600",
}


def test_each_account_is_listed_with_its_own_figures(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, TWO)
    window(app, keys.account("sendgrid"), 3)
    window(app, keys.account("@news"), 5)
    now = int(time.time() * 1000)
    opened: dict[Any, Any] = {"level": 1, "until": now + 60_000, "why": "454 4.7.0 slow down"}
    app.redis.hset(keys.breaker("@news"), mapping=opened)
    answer = app.web.get("/accounts")
    assert KEY.encode() not in answer.body
    names = ("name", "provider", "tpm", "sent_last_minute", "breaker", "reason", "fallback")
    assert [tuple(account[name] for name in names) for account in answer.json()] == [
        ("default", "sendgrid", None, 3, "closed", None, "news"),
        ("news", "smtp", 600, 5, "open", "454 4.7.0 slow down", None),
    ]


def test_the_metrics_are_by_account(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, TWO)
    window(app, keys.account("@news"), 5)
    text = app.web.get("/metrics").body.decode()
    assert 'postrider_account_sent_last_minute{account="news"} 5.0' in text
    assert 'postrider_account_sent_last_minute{account="default"} 0.0' in text
    assert 'postrider_account_breaker{account="news",state="closed"} 1.0' in text
    assert KEY not in text
