"""The provider accounts with their rates and circuit breakers. Shows no credentials."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components, webhook_health
from api.http.responses import json_response
from api.webhook_health import WebhookResponse
from campaigns.accounts import Accounts, Breaker


class AccountResponse(msgspec.Struct, frozen=True):
    """An account. `tpm`: its limit in emails per minute, or null. `reason`: why its breaker is not closed, or null.

    `webhook`: how the provider's webhook fares, or null for a provider that reports no events. `fallback`: the account
    that sends while this one's breaker stays open, or null.
    """

    name: str
    provider: str
    tpm: int | None
    sent_last_minute: int
    breaker: Breaker
    reason: str | None
    webhook: WebhookResponse | None
    fallback: str | None


def listed(request: Request) -> Response:
    """All accounts."""
    parts = components.of(request)
    states, webhooks = Accounts(parts.redis, parts.accounts).states(), parts.webhook_figures.states()
    return json_response(
        [
            AccountResponse(
                account.name,
                account.provider,
                account.tpm,
                states[account.name].sent_last_minute,
                states[account.name].breaker,
                states[account.name].reason,
                webhook_health.shown(parts.settings, account.provider, webhooks),
                account.fallback,
            )
            for account in parts.settings.accounts.values()
        ]
    )
