"""Delivers outgoing events: one web process at a time, each event until the receiver has taken it, for a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from redis import RedisError
from starlette.concurrency import run_in_threadpool

from api.outgoing.post import PostFailed, post
from api.outgoing.signing import headers
from campaigns.announcements import Announcement, Announcements

log = structlog.get_logger(__name__)

#: The waits before the second attempt and those that follow, in s: about a day together.
WAITS_S: Final = (5, 60, 300, 1_800, 7_200, 18_000, 28_800, 28_800)
#: The pause between two looks for due events, in s.
PAUSE_S: Final = 1.0
#: The pause after an error of Redis, in s.
ERROR_PAUSE_S: Final = 5.0
#: The most events of one look.
MOST: Final = 20

_ACCEPTED: Final = range(200, 300)
#: The receiver wants no more events (Standard Webhooks, "Response status codes").
_GONE: Final = 410

#: Sends a body with headers to the receiver, and returns the status of the response.
Post = Callable[[bytes, Mapping[str, str]], int]


class Delivery:
    """Delivers what is due.

    Args:
        announcements: the events that wait.
        url: where they go.
        secret: signs them.
        allow_private: whether `url` may be in a private network.
        send: sends one; the default posts to `url`.
    """

    def __init__(
        self,
        announcements: Announcements,
        url: str,
        secret: str,
        *,
        allow_private: bool = False,
        send: Post | None = None,
    ) -> None:
        self._announcements = announcements
        self._url = url
        self._secret = secret
        self._send = send or (lambda body, signed: post(url, body, signed, allow_private=allow_private))

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            pause_s = PAUSE_S
            try:
                await run_in_threadpool(self.deliver_due)
            except RedisError as error:
                log.warning("events_delayed", error=type(error).__name__)
                pause_s = ERROR_PAUSE_S
            except Exception:
                log.exception("events_failed")  # an error of any kind must not end all deliveries
                pause_s = ERROR_PAUSE_S
            await asyncio.sleep(pause_s)

    def deliver_due(self) -> int:
        """Deliver the events that are due, if this process has the lease. Returns the number of attempts.

        Raises:
            RedisError: Redis is unavailable; an event may be delivered again.
        """
        attempts = 0
        while attempts < MOST and (due := self._announcements.take()):
            attempts += 1
            if not self._attempt(due):
                break
        return attempts

    def _attempt(self, event: Announcement) -> bool:
        """Try one event. Returns whether others may follow."""
        body = event.body
        signed = headers(self._secret, event.id, int(time.time()), body)
        signed |= {"Content-Type": "application/json", "User-Agent": "Postrider"}
        try:
            status = self._send(body, signed)
            why = f"the receiver answered {status}"
        except PostFailed as error:
            status, why = 0, str(error)
        if status in _ACCEPTED:
            self._announcements.delivered(event)
            log.debug("event_delivered", event_id=event.id)
        elif status == _GONE:
            self._announcements.disable(why)
            log.error("events_disabled", reason=why)
            return False
        elif event.attempts >= len(WAITS_S):
            self._announcements.give_up(event, why)
            log.error("event_given_up", event_id=event.id, reason=why)
        else:
            self._announcements.retry(event, WAITS_S[event.attempts])
            log.warning("event_delayed", event_id=event.id, reason=why, again_in_s=WAITS_S[event.attempts])
        return True
