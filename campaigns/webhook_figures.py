"""How the providers' webhooks fare: when the last events came, and how many requests were refused for their signature.

The figures are in Redis, so that they are those of all web processes and survive restarts. Knows no HTTP.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from redis import Redis

from campaigns import keys
from campaigns.catalog import iso
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.event_kinds import Refusal

#: The refusals of which a person must know. A request without a signature may come from anyone.
_FAILED: Final = (Refusal.WRONG, Refusal.STALE)


class WebhookState(NamedTuple):
    """The figures of one provider's webhook.

    Attributes:
        last_event_at: when the last batch of events was taken, ISO 8601; None: never.
        refused: the number of refused requests so far, by cause.
        last_refused_at: when a signature was last wrong or too old, ISO 8601; None: never.
        last_refused_reason: what the answer to that request said.
    """

    last_event_at: str | None = None
    refused: dict[Refusal, int] = {}  # noqa: RUF012 - never changed
    last_refused_at: str | None = None
    last_refused_reason: str | None = None

    @property
    def refused_signatures(self) -> int:
        """The number of requests whose signature was wrong or too old."""
        return sum(self.refused.get(why, 0) for why in _FAILED)


class WebhookFigures:
    """Counts on one Redis. Every method raises `redis.RedisError` if Redis is unavailable or accepts no writes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)

    def took(self, provider: str) -> None:
        """A batch of events was taken now."""
        self._scripts("note_webhook", {"webhooks": keys.WEBHOOKS}, provider=provider, why=None, reason="")

    def refused(self, provider: str, why: Refusal, reason: str) -> None:
        """A request was refused now."""
        self._scripts("note_webhook", {"webhooks": keys.WEBHOOKS}, provider=provider, why=why.value, reason=reason)

    def states(self) -> dict[str, WebhookState]:
        """The figures of each provider that has any."""
        stored: dict[str, dict[str, str]] = {}
        for name, value in self._redis.hgetall(keys.WEBHOOKS).items():
            provider, _, field = name.decode().partition("|")
            stored.setdefault(provider, {})[field] = value.decode()
        return {provider: _state(fields) for provider, fields in stored.items()}


def _state(fields: dict[str, str]) -> WebhookState:
    return WebhookState(
        iso(fields.get("last_event_at")),
        {why: int(fields.get(why.value, 0)) for why in Refusal},
        iso(fields.get("last_refused_at")),
        fields.get("last_refused_reason"),
    )
