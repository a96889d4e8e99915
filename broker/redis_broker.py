"""A Redis broker and its consumers, in place of those of `dramatiq.brokers.redis`.

The notifier wakes idle consumers. The consumers survive a Redis that is unavailable for a while or refuses commands.
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
from campaigns.db.connection import made_by_this_thread
from campaigns.db.retrying import StoppedWithoutRedis
from campaigns.messages import QUEUES, SEND_EMAIL

log = structlog.get_logger(__name__)

#: Silence after which Dramatiq takes a worker for dead and returns its messages to their queues, in ms.
HEARTBEAT_TIMEOUT_MS: Final = 12_000
#: The shortest time between two searches of a consumer for dead workers' messages on its queue, in s. A search may run
#: KEYS. A consumer that polls less often searches at each poll.
MAINTENANCE_EVERY_S: Final = 1.0
#: Time between two polls of a consumer whose messages are being processed, in s, by queue; else `SLOW_POLL_S`.
POLL_S: Final = {QUEUES[SEND_EMAIL]: 0.05}
SLOW_POLL_S: Final = 0.5
#: How long an idle consumer waits for the notifier before it polls anyway, in s. Each poll is also the worker's
#: heartbeat for Dramatiq, so this is far below `HEARTBEAT_TIMEOUT_MS`.
IDLE_POLL_S: Final = 5.0


class Notifier(Protocol):
    """Wakes sleeping consumers; `middleware.notifier` implements it."""

    def clear(self, queue: str) -> None:
        """Forget earlier notifications. Call it before a consumer looks at its queue, so that later ones count."""

    def wait(self, queue: str, timeout_s: float) -> None:
        """Sleep until the queue is notified, for `timeout_s` at most, and only briefly once the worker is stopping."""


class Broker(BrokerInternals):
    """Dramatiq's Redis broker, with consumers that the notifier wakes and that can stop while Redis is unavailable.

    Args:
        stopping: set when the worker shuts down.
        idle_poll_s: how long an idle consumer waits for the notifier before it polls anyway, in s.
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
        """Decide by a clock, where Dramatiq decides at random.

        Each queue has one thread that fetches from it, so each thread has a separate clock.
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
        """Wake all workers' consumers of a queue."""
        with suppress(RedisError):
            self.client.publish(keys.NOTIFICATIONS, queue_name)

    def held(self, queue_name: str) -> set[str]:
        """The messages (by their id in Redis) that this process has taken off a queue and processes now or later.

        When a consumer of a delay queue ends, Dramatiq forgets its delayed messages, so this set forgets them too.
        """
        if self.is_delay_queue(queue_name):
            self._held.pop(queue_name, None)
        return self._held[queue_name]


class Consumer(ConsumerInternals):
    """Dramatiq's consumer, made to survive a Redis that is unavailable for a while or refuses commands.

    - It reports every Redis error as a lost connection. Dramatiq then creates a new consumer and repeats
      acknowledgements. Dramatiq itself does this only for refused connections: after a timeout or an OOM it would leave
      messages unacknowledged, and end the thread that waits for delayed messages.
    - A new consumer puts back the messages that its predecessor had fetched and no consumer holds any more. In Redis
      they belong to this process, and Dramatiq would return them only when the process ends. So does a consumer whose
      fetch needed a new connection: the client may have sent the fetch twice, and the first response is lost.
    - While there is nothing to do, it sleeps until the notifier wakes it.
    - Once the worker is stopping, it takes no more messages, puts back those that no thread has begun, and no longer
      waits for Redis without end.
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
            if not self._reclaimed and not self.holds_untaken:
                self._reclaim()
                self._reclaimed = True
            connections = made_by_this_thread()
            message = self.take()
            if made_by_this_thread() != connections:
                self._reclaimed = False
        if message is not None:
            self._held.add(redis_id(message))
        else:
            busy_s = POLL_S.get(queue, SLOW_POLL_S)
            broker.notifier.wait(queue, busy_s if self.is_busy else broker.idle_poll_s)
        return message

    def _take_no_more(self) -> None:
        """Put back fetched messages that no thread has taken, and send heartbeats until the last message has ended.

        No thread would process messages that a stopping worker takes. Those that it leaves behind return to their queue
        only after `HEARTBEAT_TIMEOUT_MS`.
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
                raise StoppedWithoutRedis from error  # the message is not acknowledged, so it is delivered again
            raise
        self._held.discard(redis_id(message))


@contextmanager
def _lost_connection() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
