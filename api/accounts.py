"""The provider accounts with their rates and circuit breakers. Shows no credentials."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components, webhook_health
from api.http.responses import json_response
from api.webhook_health import WebhookResponse
from campaigns.accounts import Accounts, Breaker
from settings import DEFAULT


class AccountResponse(msgspec.Struct, frozen=True):
    """An account. `tpm`: its limit in emails per minute, or null. `reason`: why its breaker is not closed, or null.

    `webhook`: how the provider's webhook fares, or null for a provider that reports no events.
    """

    name: str
    provider: str
    tpm: int | None
    sent_last_minute: int
    breaker: Breaker
    reason: str | None
    webhook: WebhookResponse | None


def listed(request: Request) -> Response:
    """All accounts."""
    parts = components.of(request)
    provider, tpm = parts.settings.email_provider, parts.settings.accounts[DEFAULT].tpm
    state = Accounts(parts.redis, provider, tpm).state()
    webhook = webhook_health.shown(parts.settings, provider, parts.webhook_figures.states())
    account = AccountResponse(DEFAULT, provider, tpm, state.sent_last_minute, state.breaker, state.reason, webhook)
    return json_response([account])
