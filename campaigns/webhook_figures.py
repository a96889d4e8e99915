"""How the providers' webhooks fare: when the last events came, and how many requests were refused for their signature.

The figures are in Redis, so that they are those of all web processes and survive restarts. Knows no HTTP.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from redis import Redis, RedisError

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


@dataclass
class _Pending:
    """What one webhook has taken and refused since the last flush. Times are monotonic, in seconds."""

    taken_s: float | None = None
    refused_s: float | None = None
    reason: str = ""
    refusals: Counter[Refusal] = field(default_factory=Counter)


class WebhookFigures:
    """The figures on one Redis. Thread safe.

    Anyone can have requests refused, so counting one costs no round trip: `flush`, once per second, writes what has
    come together since the last one.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._lock = threading.Lock()
        self._pending: dict[str, _Pending] = {}

    def took(self, provider: str) -> None:
        """A batch of events was taken now."""
        with self._lock:
            self._pending.setdefault(provider, _Pending()).taken_s = time.monotonic()

    def refused(self, provider: str, why: Refusal, reason: str) -> None:
        """A request was refused now; `reason` is what the answer says."""
        with self._lock:
            pending = self._pending.setdefault(provider, _Pending())
            pending.refusals[why] += 1
            if why in _FAILED:
                pending.refused_s, pending.reason = time.monotonic(), reason

    def flush(self) -> None:
        """Write what has come together.

        Raises:
            redis.RedisError: it is kept for the next time. What has been written may be written once more then.
        """
        with self._lock:
            waiting, self._pending = self._pending, {}
        try:
            for provider in list(waiting):
                self._write(provider, waiting[provider])
                del waiting[provider]
        except RedisError:
            self._keep(waiting)
            raise

    def _write(self, provider: str, pending: _Pending) -> None:
        now = time.monotonic()
        taken_ms, refused_ms = (at and int(1000 * (now - at)) for at in (pending.taken_s, pending.refused_s))
        self._scripts(
            "note_webhook",
            {"webhooks": keys.WEBHOOKS},
            provider=provider,
            taken_ms=taken_ms,
            refused_ms=refused_ms,
            reason=pending.reason,
            refusals=[(why.value, count) for why, count in pending.refusals.items()],
        )

    def _keep(self, waiting: dict[str, _Pending]) -> None:
        """Put back what could not be written, under what has come meanwhile."""
        with self._lock:
            for provider, older in waiting.items():
                newer = self._pending.setdefault(provider, _Pending())
                newer.refusals += older.refusals
                newer.taken_s = newer.taken_s or older.taken_s
                if newer.refused_s is None:
                    newer.refused_s, newer.reason = older.refused_s, older.reason

    def states(self) -> dict[str, WebhookState]:
        """The figures of each provider that has any.

        Raises:
            redis.RedisError
        """
        stored: dict[str, dict[str, str]] = {}
        for name, value in self._redis.hgetall(keys.WEBHOOKS).items():
            provider, _, of_provider = name.decode().partition("|")
            stored.setdefault(provider, {})[of_provider] = value.decode()
        return {provider: _state(fields) for provider, fields in stored.items()}


def _state(fields: dict[str, str]) -> WebhookState:
    return WebhookState(
        iso(fields.get("last_event_at")),
        {why: int(fields.get(why.value, 0)) for why in Refusal},
        iso(fields.get("last_refused_at")),
        fields.get("last_refused_reason"),
    )
