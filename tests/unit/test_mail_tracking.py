"""`tracking` of a campaign: who can do it, and what the API says otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from campaigns.models import Content
from mail.mail_merge import MailMerge
from mail.providers.capabilities import refusal
from mail.rendering import Templates
from settings import PROVIDERS
from tests.support.app_harness import CONTENT, AppHarness

SENDGRID = {"SENDGRID_API_KEY": "SG.key"}
CANNOT = {("smtp", "on"), ("outbox", "on"), ("ses", "on"), ("ses", "off")}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("choice", ["account", "on", "off"])
def test_each_provider_refuses_what_it_cannot_do(provider: str, choice: Any) -> None:
    content = Content("a@b.test", "x", text="x", tracking=choice)
    assert bool(refusal(provider, content)) == ((provider, choice) in CANNOT)


@pytest.mark.parametrize(("choice", "tracks"), [(None, None), ("account", None), ("on", True), ("off", False)])
def test_an_email_carries_what_the_campaign_asks_for(
    fake_redis: Redis, choice: str | None, tracks: bool | None
) -> None:
    app = AppHarness(fake_redis, SENDGRID)
    app.make(**({} if choice is None else {"tracking": choice}))
    campaign = app.harness.catalog.get("c1")
    assert app.web.get("/campaigns/c1").json()["tracking"] == (choice or "account")
    renderer = Templates(campaign.content).renderer("c1", ["name", "email"])
    assert renderer.message(1, "ada@shop.test", ["Ada"]).tracks is tracks
    merge = MailMerge.of(renderer)
    assert merge is not None
    assert merge.message.tracks is tracks


def test_a_provider_that_cannot_track_is_named_with_what_to_do(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis, {"EMAIL_PROVIDER": "outbox"})
    refused = app.web.put("/campaigns/c1", CONTENT | {"tracking": "on"})
    assert refused.status == 422
    assert refused.detail.startswith("tracking: the local outbox")
    assert app.web.put("/campaigns/c1", CONTENT | {"tracking": "sometimes"}).status == 422
    assert app.web.put("/campaigns/c1", CONTENT | {"tracking": "off"}).status == 201


def test_the_stored_content_of_older_campaigns_stays_the_same() -> None:
    assert Content("a@b.test", "x", text="x").tracks is None
