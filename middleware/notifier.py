"""The notifier wakes this process's idle consumers when Redis announces a message on their queue.

It also wakes the dispatcher when recipients are ready. If notifications are lost (a lost connection, a Redis that
allows no channels), slow polling finds the messages later.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns import keys
from campaigns.db import retrying
from campaigns.db.typed_redis import typed

log = structlog.get_logger(__name__)

#: The longest wait for one notification, in s. After it the connection is checked.
LISTEN_S: Final = 5.0
#: The longest sleep in a worker that is stopping, in s.
ENDING_POLL_S: Final = 0.1


class Notifier(dramatiq.Middleware):
    """One listening thread per process, and one event per queue.

    Args:
        redis: the server of the channel `keys.NOTIFICATIONS`, whose messages are names of queues.
        stopping: set when the worker shuts down.
    """

    def __init__(self, redis: Redis, stopping: threading.Event) -> None:
        self._redis = typed(redis)
        self._stopping = stopping
        self._events: dict[str, threading.Event] = {}
        self._ending = False

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        threading.Thread(target=self._run, name="notifier", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._ending = True
        self._notify_all()

    def clear(self, queue: str) -> None:
        """Forget earlier notifications. Call it before a consumer looks at its queue, so that later ones count."""
        self._event(queue).clear()

    def notify(self, queue: str) -> None:
        """Notify only this process."""
        self._event(queue).set()

    def wait(self, queue: str, timeout_s: float) -> None:
        """Sleep until the queue is notified, for `timeout_s` at most, and only briefly once the worker is stopping."""
        self._event(queue).wait(min(timeout_s, ENDING_POLL_S) if self._ending else timeout_s)

    def _event(self, queue: str) -> threading.Event:
        # In one step, because two threads may both come first: a notification of a replaced event would be lost.
        return self._events.setdefault(queue, threading.Event())

    def _notify_all(self) -> None:
        for event in list(self._events.values()):
            event.set()

    def _run(self) -> None:
        def lost(error: RedisError) -> None:
            log.debug("notifier_lost", error=type(error).__name__)

        with suppress(retrying.StoppedWithoutRedis):
            retrying.until_answered(self._listen, self._stopping, lost)

    def _listen(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(keys.NOTIFICATIONS)
            self._notify_all()
            while not self._stopping.is_set():
                message = channel.get_message(timeout=LISTEN_S)
                if message is not None:
                    self.notify(message["data"].decode())
