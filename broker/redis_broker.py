"""A Redis broker and its consumers, as `dramatiq.brokers.redis`: the notifier wakes idle consumers, and a Redis that is
away for a while, or refuses, puts nothing out of order.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

import dramatiq
import structlog
from dramatiq.errors import ConnectionClosed
from redis import Redis, RedisError

from broker.dramatiq_private import BrokerInternals, ConsumerInternals, redis_id
from campaigns import keys
from campaigns.messages import QUEUES, SEND_EMAIL
from campaigns.retrying import StoppedWithoutRedis

log = structlog.get_logger(__name__)

#: A worker that has not been heard of for so long is dead to Dramatiq, which then hands its messages on, in ms.
HEARTBEAT_TIMEOUT_MS: Final = 12_000
#: How often a consumer looks for messages of dead workers on its queue, in s, at most; one that asks less often does so
#: each time. Not more often, as it may run KEYS.
MAINTENANCE_EVERY_S: Final = 1.0
#: How often a consumer asks again that has messages in hand, in s, by queue; others every `SLOW_POLL_S`.
POLL_S: Final = {QUEUES[SEND_EMAIL]: 0.05}
SLOW_POLL_S: Final = 0.5
#: How long an idle consumer waits for the notifier before it asks all the same, in s. Each question is the worker's
#: heartbeat to Dramatiq as well, so this is far below `HEARTBEAT_TIMEOUT_MS`.
IDLE_POLL_S: Final = 5.0


class Notifier(Protocol):
    """What a consumer sleeps on; `middleware.notifier` is it."""

    def clear(self, queue: str) -> None:
        """Call it before a consumer looks at its queue: a notification from now on counts."""

    def wait(self, queue: str, timeout_s: float) -> None:
        """Sleep until the queue is notified, `timeout_s` at most; briefly once the worker is stopping."""


class Broker(BrokerInternals):
    """Dramatiq's Redis broker with consumers that the notifier wakes and that can be stopped while Redis is away.

    Args:
        stopping: set when the worker shuts down.
        idle_poll_s: how long an idle consumer waits for the notifier before it asks all the same, in s.
    """

    def __init__(
        self,
        client: Redis,
        middleware: list[dramatiq.Middleware],
        stopping: threading.Event,
        notifier: Notifier,
        idle_poll_s: float = IDLE_POLL_S,
    ) -> None:
        super().__init__(client, middleware, HEARTBEAT_TIMEOUT_MS)
        self.stopping = stopping
        self.notifier = notifier
        self.idle_poll_s = idle_poll_s
        self._maintenance = threading.local()
        self._held: dict[str, set[str]] = defaultdict(set)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:  # noqa: ARG002 - as Dramatiq calls it
        return Consumer(self, queue_name, prefetch)

    def looks_for_dead_workers(self, command: str) -> bool:
        """By the clock, where Dramatiq rolls dice.

        Each queue has a thread that fetches from it, so it is that thread's own clock.
        """
        now = time.monotonic()
        if command != "fetch" or now < getattr(self._maintenance, "due", now):
            return False
        self._maintenance.due = now + MAINTENANCE_EVERY_S
        return True

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        enqueued = super().enqueue(message, delay=delay)
        self.notify(message.queue_name if delay is None else self.delay_queue(message.queue_name))
        return enqueued

    def notify(self, queue_name: str) -> None:
        """Wake the consumers of a queue, of all workers."""
        with suppress(RedisError):
            self.client.publish(keys.NOTIFICATIONS, queue_name)

    def held(self, queue_name: str) -> set[str]:
        """The messages (by their id in Redis) that this process has taken off a queue and works on, or will.

        Dramatiq forgets what waits for its time when a consumer of a delay queue ends, so that is held no longer.
        """
        if self.is_delay_queue(queue_name):
            self._held.pop(queue_name, None)
        return self._held[queue_name]


class Consumer(ConsumerInternals):
    """Dramatiq's consumer, which a Redis that is away for a while, or that refuses, does not put out of order.

    - Every error of Redis is a lost connection, after which Dramatiq makes a new consumer and repeats acknowledgements.
      It knows refused connections alone: after a timeout or an OOM it would leave messages unacknowledged, and end the
      thread that waits for delayed ones.
    - A new consumer puts back what the one before it had fetched and no consumer holds any more. To Redis these
      messages belong to this process, and Dramatiq would return them only at its end.
    - Once the worker is stopping, Redis is not waited for without end.
    - While there is nothing to do, it sleeps until the notifier wakes it.
    - Once the worker is stopping, it takes nothing more, and gives back what no thread has begun.
    """

    broker: Broker

    def __init__(self, broker: Broker, queue_name: str, prefetch: int) -> None:
        super().__init__(broker, queue_name, prefetch)
        self._held = broker.held(queue_name)
        self._reclaimed = False

    def __next__(self) -> dramatiq.MessageProxy | None:
        broker, queue = self.broker, self.queue_name
        if broker.stopping.is_set():
            self._take_no_more()
            return None
        broker.notifier.clear(queue)
        with _lost_connection():
            if not self._reclaimed:
                self._reclaim()
                self._reclaimed = True
            message = self.take()
        if message is not None:
            self._held.add(redis_id(message))
        else:
            busy_s = POLL_S.get(queue, SLOW_POLL_S)
            broker.notifier.wait(queue, busy_s if self.is_busy else broker.idle_poll_s)
        return message

    def _take_no_more(self) -> None:
        """Give back what has been fetched and not given, and give signs of life until the last message has ended.

        No thread works on what a stopping worker takes, and what it leaves behind comes back only after
        `HEARTBEAT_TIMEOUT_MS`.
        """
        with _lost_connection():
            if self.holds_untaken:
                self._reclaim()
                self.forget_untaken()
            self.broker.beat(self.queue_name)
        self.broker.notifier.wait(self.queue_name, SLOW_POLL_S)

    def close(self) -> None:
        with _lost_connection():
            if self.broker.stopping.is_set():
                self._reclaim()

    def _reclaim(self) -> None:
        forgotten = self.broker.fetched(self.queue_name) - self._held
        if forgotten:
            self.broker.put_back(self.queue_name, forgotten)
            self.broker.notify(self.queue_name)
            log.warning("messages_put_back", queue=self.queue_name, messages=len(forgotten))

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        messages = list(messages)
        with _lost_connection():
            super().requeue(messages)  # type: ignore[no-untyped-call]
        self._held.difference_update(map(redis_id, messages))
        if messages:
            self.broker.notify(self.queue_name)

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._end(super().ack, message)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        self._end(super().nack, message)

    def _end(self, step: Callable[[dramatiq.MessageProxy], None], message: dramatiq.MessageProxy) -> None:
        try:
            with _lost_connection():
                step(message)
        except ConnectionClosed as error:
            if self.broker.stopping.is_set():
                raise StoppedWithoutRedis from error  # the message is not acknowledged and will come again
            raise
        self._held.discard(redis_id(message))


@contextmanager
def _lost_connection() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
