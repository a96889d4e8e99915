"""Logs refused requests of senders whose signature is wrong. Anyone can send such requests, so the log is limited."""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog

log = structlog.get_logger(__name__)

#: The time between two log lines about one sender, in seconds.
LOG_EVERY_S: Final = 60.0


class RefusalLog:
    """Logs refused requests: the first one at once, then one line per minute with their number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._logged_at: dict[str, float] = {}

    def note(self, provider: str, reason: str) -> None:
        """Log a refusal, or count it for the next line."""
        now = time.monotonic()
        with self._lock:
            count = self._waiting[provider] = self._waiting.get(provider, 0) + 1
            if now - self._logged_at.get(provider, -LOG_EVERY_S) < LOG_EVERY_S:
                return
            self._logged_at[provider], self._waiting[provider] = now, 0
        log.warning("events_refused", provider=provider, reason=reason, count=count)
