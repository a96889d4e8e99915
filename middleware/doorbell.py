"""The doorbell: idle consumers of this process sleep until Redis tells that there is something on their queue, and the
pacer until something waits for it.

What is missed (a ring while the connection was lost, a Redis that allows no channels) is found by slow polling; nothing
depends on a ring but how soon.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, Final

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns import keys, retrying

log = structlog.get_logger(__name__)

#: How long one wait for a ring takes, in s; then the connection is looked after.
LISTEN_S: Final = 5.0
#: How long anybody sleeps at most in a worker that is stopping, in s.
ENDING_POLL_S: Final = 0.1


class Doorbell(dramatiq.Middleware):
    """One thread a process that listens, and an event for each queue.

    Args:
        redis: where the channel `keys.BELL` is; what is told there is a queue's name.
        stopping: set when the worker shuts down.
    """

    def __init__(self, redis: Redis, stopping: threading.Event) -> None:
        self._redis: Any = redis  # its pubsub has no types
        self._stopping = stopping
        self._events: dict[str, threading.Event] = {}
        self._ending = False

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        threading.Thread(target=self._run, name="doorbell", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._ending = True
        self._wake_all()

    def clear(self, queue: str) -> None:
        """To be called before a consumer looks at its queue: a ring from now on counts."""
        self._event(queue).clear()

    def ring(self, queue: str) -> None:
        """Ring for this process alone."""
        self._event(queue).set()

    def wait(self, queue: str, timeout_s: float) -> None:
        """Sleep until the queue's bell rings, `timeout_s` at most; briefly once the worker is stopping."""
        self._event(queue).wait(min(timeout_s, ENDING_POLL_S) if self._ending else timeout_s)

    def _event(self, queue: str) -> threading.Event:
        # In one step, as several threads may be the first to ask: a ring on one that is then replaced would be lost.
        return self._events.setdefault(queue, threading.Event())

    def _wake_all(self) -> None:
        for event in list(self._events.values()):
            event.set()

    def _run(self) -> None:
        def lost(error: RedisError) -> None:
            log.debug("doorbell_lost", error=type(error).__name__)

        with suppress(retrying.StoppedWithoutRedis):
            retrying.until_answered(self._listen, self._stopping, lost)

    def _listen(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as bell:
            bell.subscribe(keys.BELL)
            self._wake_all()
            while not self._stopping.is_set():
                ring = bell.get_message(timeout=LISTEN_S)
                if ring is not None:
                    self.ring(ring["data"].decode())
