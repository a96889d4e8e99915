"""Binds a message's identity to every log line that a worker writes while it processes the message."""

from __future__ import annotations

from typing import Any

import dramatiq
from structlog.contextvars import bind_contextvars, clear_contextvars


class LogContext(dramatiq.Middleware):
    """Binds campaign, actor, message and attempt before a message, and clears them after it."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        clear_contextvars()
        bind_contextvars(
            actor=message.actor_name,
            message_id=message.message_id,
            campaign_id=message.args[0] if message.args else None,
            attempt=message.options.get("retries", 0) + 1,
        )

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        clear_contextvars()

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        clear_contextvars()
