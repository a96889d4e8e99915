"""What each provider can do: one table, which the page of operations shows, and what a PUT says to a campaign that asks
for more.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from campaigns.models import Content
from mail.providers.capabilities import CAPABILITIES, Capabilities, refusal
from settings import PROVIDERS
from tests.support.app_harness import CONTENT, AppHarness

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
NEWS = {"ACCOUNTS": "news", "ACCOUNT_NEWS_PROVIDER": "outbox"}


def as_row(provider: str, can: Capabilities) -> str:
    """The row of the page's table."""
    recipients = f"up to {can.recipients:,}" if can.recipients > 1 else "1"
    tracking = ", ".join(f"`{choice}`" for choice in ("on", "off") if choice in can.tracking) or "no"
    flags = [("no", "yes")[flag] for flag in (can.headers, can.reply_to)]
    more = [("no", "yes")[flag] for flag in (can.events, can.idempotent)]
    return f"| {' | '.join([f'`{provider}`', recipients, f'{can.attachments:,}', *flags, tracking, *more])} |"


@pytest.mark.parametrize("provider", CAPABILITIES)
def test_the_page_shows_the_table(provider: str) -> None:
    assert as_row(provider, CAPABILITIES[provider]) in PAGE


def test_each_provider_has_an_entry() -> None:
    assert set(CAPABILITIES) == set(PROVIDERS)


@pytest.mark.parametrize(
    ("lacks", "asks", "words"),
    [
        ({"headers": False}, {"headers": {"X-A": "b"}}, "headers: the provider bare takes no own headers"),
        ({"headers": False}, {"unsubscribe": True}, "unsubscribe: the provider bare takes no own headers"),
        ({"reply_to": False}, {"reply_to": "a@b.test"}, "reply_to: the provider bare takes none"),
        ({"tracking": frozenset(), "tracking_words": "no."}, {"tracking": "off"}, "tracking: no."),
        ({"attachments": 0}, {}, "account: the attachments have 1 bytes together, and the provider bare takes 0"),
    ],
)
def test_what_a_provider_lacks_is_refused_and_anything_else_is_not(
    monkeypatch: pytest.MonkeyPatch, lacks: dict[str, object], asks: dict[str, object], words: str
) -> None:
    content = Content("n@b.test", "S", text="T", **asks)  # type: ignore[arg-type]
    monkeypatch.setitem(CAPABILITIES, "bare", Capabilities(**lacks))  # type: ignore[arg-type]
    assert str(refusal("bare", content, 1)).startswith(words)
    monkeypatch.setitem(CAPABILITIES, "bare", Capabilities())
    assert refusal("bare", content, 1) is None


def test_an_account_that_there_is_not_is_refused_with_the_names_of_those_there_are(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, NEWS)
    answer = app.web.put("/campaigns/c1", CONTENT | {"account": "newz"})
    assert (answer.status, answer.detail) == (
        422, "account: there is no account 'newz': choose one of default, news."
    )  # fmt: skip
    app.make(account="news")
    assert app.web.get("/campaigns/c1").json()["account"] == "news"
    assert app.harness.redis.hget("postrider:{c1}:campaign", "account") == b"news"


def test_a_campaign_without_an_account_is_stored_as_ever(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, NEWS)
    app.make("c1")
    app.make("c2", account="default")
    stored = [fake_redis.hget(f"postrider:{{{name}}}:campaign", "content") for name in ("c1", "c2")]
    assert stored[0] == stored[1]
    assert app.web.get("/campaigns/c2").json()["account"] == "default"


def test_a_fallback_must_be_able_to_do_it_too(fake_redis: Redis) -> None:
    settings = {"SENDGRID_API_KEY": "SG.x", "PROVIDER_FALLBACK": "news", **NEWS}
    answer = AppHarness(fake_redis, settings).web.put("/campaigns/c1", CONTENT | {"tracking": "on"})
    assert answer.status == 422
    assert answer.detail.startswith("tracking: the local outbox sends nothing")
    assert answer.detail.endswith("(The account news sends in place of default while that is sick.)")


def test_an_account_whose_provider_cannot_carry_the_attachments_is_refused(
    fake_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = AppHarness(fake_redis, {**NEWS, "ACCOUNT_NEWS_PROVIDER": "smtp", "ACCOUNT_NEWS_SMTP_URL": "smtp://localhost"})
    app.make()
    assert app.web.put("/campaigns/c1/attachments/a.txt", b"x" * 100, {"Content-Type": "text/plain"}).status == 201
    monkeypatch.setitem(CAPABILITIES, "smtp", Capabilities(attachments=99))
    answer = app.web.put("/campaigns/c1", CONTENT | {"account": "news"})
    assert answer.status == 422
    assert "takes 99" in answer.detail
    # And a file that only the first account could carry is refused, too
    app.make("c2", account="news")
    assert app.web.put("/campaigns/c2/attachments/a.txt", b"x" * 100, {"Content-Type": "text/plain"}).status == 413
