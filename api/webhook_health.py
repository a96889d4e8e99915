"""What a webhook tells of itself: it counts what it takes and refuses, and logs refusals once per minute at most."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import msgspec
from redis import RedisError
from starlette.concurrency import run_in_threadpool

from api.components import Components
from api.http.errors import Problem
from campaigns.event_kinds import Refusal
from campaigns.webhook_figures import WebhookFigures, WebhookState
from settings import Settings

#: The time between two writes of the figures, in seconds.
FLUSH_EVERY_S: Final = 1.0


class WebhookResponse(msgspec.Struct, frozen=True):
    """The webhook of a provider, over all accounts at it and all web processes.

    `enabled`: its setting is there. `last_event_at`: when events last came with a good signature. `refused_signatures`:
    requests so far whose signature was wrong or too old; `last_refused_at`, `last_refused_reason`: of the last one.
    """

    enabled: bool
    last_event_at: str | None
    refused_signatures: int
    last_refused_at: str | None
    last_refused_reason: str | None


def shown(settings: Settings, provider: str, states: dict[str, WebhookState]) -> WebhookResponse | None:
    """What `GET /accounts` shows of a provider's webhook; None: the provider has none.

    Args:
        settings: the settings.
        provider: the provider's name.
        states: the figures of all webhooks.
    """
    enabled = {"sendgrid": settings.sendgrid_webhook_public_key is not None, "ses": bool(settings.ses_topic_arns)}
    if provider not in enabled:
        return None
    state = states.get(provider, WebhookState())
    return WebhookResponse(
        enabled[provider],
        state.last_event_at,
        state.refused_signatures,
        state.last_refused_at,
        state.last_refused_reason,
    )


def refused(parts: Components, provider: str, why: Refusal, reason: str) -> Problem:
    """Count and log a refused request; returns the problem (403)."""
    parts.webhook_figures.refused(provider, why, reason)
    parts.refusal_log.note(provider, reason)
    return Problem(HTTPStatus.FORBIDDEN, reason)


async def keep_written(figures: WebhookFigures) -> None:
    """Write the figures once per second. What cannot be written waits for the next time."""
    while True:
        await asyncio.sleep(FLUSH_EVERY_S)
        with suppress(RedisError):
            await run_in_threadpool(figures.flush)
