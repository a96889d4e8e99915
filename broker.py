"""Dramatiq's Redis broker as a worker needs it, and the worker's Redis client. Importing this module makes nothing."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import dramatiq
import msgspec
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed
from redis import Redis, RedisError
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from campaigns import connection, keys, layout
from middleware.doorbell import Doorbell

log = structlog.get_logger(__name__)

#: A worker that has not been heard of for so long is dead to Dramatiq, which then hands its messages on, in ms.
HEARTBEAT_TIMEOUT_MS: Final = 12_000
#: How often a consumer looks for messages of dead workers on its queue, in s, at most; one that asks less often does so
#: each time. Not more often, as it may run KEYS.
MAINTENANCE_EVERY_S: Final = 1.0
#: How often a consumer asks again that has messages in hand, in s, by queue; others every `SLOW_POLL_S`.
POLL_S: Final = {"send_email": 0.05}
SLOW_POLL_S: Final = 0.5
#: How long an idle consumer waits for the doorbell before it asks all the same, in s. Each question is the worker's
#: heartbeat to Dramatiq as well, so this is far below `HEARTBEAT_TIMEOUT_MS`.
IDLE_POLL_S: Final = 5.0


class StoppedWithoutRedis(Exception):
    """The worker stops and Redis cannot be asked: the message is not acknowledged and will come again."""


class MsgspecEncoder(dramatiq.Encoder):
    """Dramatiq's JSON, written and read by msgspec."""

    def encode(self, data: dict[str, Any]) -> bytes:
        return msgspec.json.encode(data)

    def decode(self, data: bytes) -> dict[str, Any]:
        return msgspec.json.decode(data, type=dict[str, Any])


class Broker(RedisBroker):
    """Dramatiq's Redis broker with consumers that the doorbell wakes and that can be stopped while Redis is away.

    Args:
        idle_poll_s: how long an idle consumer waits for the doorbell before it asks all the same, in s.
    """

    def __init__(
        self,
        client: Redis,
        middleware: list[dramatiq.Middleware],
        stopping: threading.Event,
        doorbell: Doorbell,
        idle_poll_s: float = IDLE_POLL_S,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client, middleware=middleware, heartbeat_timeout=HEARTBEAT_TIMEOUT_MS
        )
        self.stopping = stopping
        self.doorbell = doorbell
        self.idle_poll_s = idle_poll_s
        self._maintenance = threading.local()
        self._held: dict[str, set[str]] = defaultdict(set)

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        return Consumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:
        return super().consume(queue_name, prefetch, timeout)

    def _should_do_maintenance(self, command: str) -> int:
        """Whether this command looks for dead workers' messages too: by the clock, where Dramatiq rolls dice.

        Each queue has a thread that fetches from it, so it is that thread's own clock.
        """
        now = time.monotonic()
        if command != "fetch" or now < getattr(self._maintenance, "due", now):
            return 0
        self._maintenance.due = now + MAINTENANCE_EVERY_S
        return 1

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        enqueued = super().enqueue(message, delay=delay)
        self.ring(message.queue_name if delay is None else dq_name(message.queue_name))
        return enqueued

    def ring(self, queue_name: str) -> None:
        """Wake the consumers of a queue, of all workers."""
        with suppress(RedisError):
            self.client.publish(keys.BELL, queue_name)

    def held(self, queue_name: str) -> set[str]:
        """The messages (by their id in Redis) that this process has taken off a queue and works on, or will.

        Dramatiq forgets what waits for its time when a consumer of a delay queue ends, so that is held no longer.
        """
        if queue_name in self.delay_queues:
            self._held.pop(queue_name, None)
        return self._held[queue_name]


class Consumer(_RedisConsumer):
    """Dramatiq's consumer, which a Redis that is away for a while, or that refuses, does not put out of order.

    - Every error of Redis is a lost connection, after which Dramatiq makes a new consumer and repeats acknowledgements.
      It knows refused connections alone: after a timeout or an OOM it would leave messages unacknowledged, and end the
      thread that waits for delayed ones.
    - A new consumer puts back what the one before it had fetched and nobody holds any more. To Redis these messages are
      this process's own, and Dramatiq would return them at its end only.
    - Once the worker is stopping, Redis is not waited for without end.
    - While there is nothing to do, it sleeps until the doorbell rings.
    - Once the worker is stopping, it takes nothing more, and gives back what nobody has begun.
    """

    def __init__(self, broker: Broker, queue_name: str, prefetch: int, timeout: int) -> None:  # noqa: ARG002 - as Dramatiq calls it
        # The parent's own sleep is the shortest: the sleep is here.
        super().__init__(broker, queue_name, prefetch, 1)  # type: ignore[no-untyped-call]
        self._held = broker.held(queue_name)
        self._reclaimed = False

    def __next__(self) -> dramatiq.MessageProxy | None:
        if self.broker.stopping.is_set():
            self._take_no_more()
            return None
        self.broker.doorbell.clear(self.queue_name)
        with _lost_connection():
            if not self._reclaimed:
                self._reclaim()
                self._reclaimed = True
            message: dramatiq.MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        if message is not None:
            self._held.add(message.options["redis_message_id"])
        else:
            busy_s = POLL_S.get(self.queue_name, SLOW_POLL_S)
            wait_s = busy_s if self.outstanding_message_count else self.broker.idle_poll_s
            self.broker.doorbell.wait(self.queue_name, wait_s)
        return message

    def _take_no_more(self) -> None:
        """Give back what has been fetched and not given, and give signs of life until the last message has ended.

        Nobody works on what a stopping worker takes, and what it leaves behind comes back after `HEARTBEAT_TIMEOUT_MS`
        only.
        """
        with _lost_connection():
            if self.message_cache:
                self._reclaim()
                self.message_cache = []
            self.broker.do_fetch(self.queue_name, 0)
        self.broker.doorbell.wait(self.queue_name, SLOW_POLL_S)

    def close(self) -> None:
        with _lost_connection():
            if self.broker.stopping.is_set():
                self._reclaim()

    def _reclaim(self) -> None:
        broker = self.broker
        fetched = broker.client.smembers(f"{broker.namespace}:__acks__.{broker.broker_id}.{self.queue_name}")
        forgotten = {message_id.decode() for message_id in fetched} - self._held
        if forgotten:
            broker.do_requeue(self.queue_name, *forgotten)
            broker.ring(self.queue_name)
            log.warning("messages_put_back", queue=self.queue_name, messages=len(forgotten))

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        messages = list(messages)
        with _lost_connection():
            super().requeue(messages)  # type: ignore[no-untyped-call]
        self._held.difference_update(message.options["redis_message_id"] for message in messages)
        if messages:
            self.broker.ring(self.queue_name)

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
                raise StoppedWithoutRedis from error
            raise
        self._held.discard(message.options["redis_message_id"])


@contextmanager
def _lost_connection() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]


def connect(url: str, *, allow_unsafe: bool = False) -> Redis:
    """A Redis client for threads: bounded waits, a few quick tries before an error is an error, no wrong Redis."""
    return Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=10,
        **connection.watched(url),
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 2),
        redis_connect_func=partial(layout.on_connect, allow_unsafe=allow_unsafe),
    )
