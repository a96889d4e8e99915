"""The composition root of a worker: Redis, the ledger, and the broker with its middleware in order.

`dramatiq actors` gets here through `actors`. Nothing below imports this module.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any, Final
from uuid import uuid4

import dramatiq
import msgspec
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import CurrentMessage, Retries
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

import logs
import settings
from campaigns import layout
from campaigns.ledger import Ledger, Limits
from campaigns.pacer import Pacer
from middleware.admission import Admission
from middleware.event_loop import EventLoop
from middleware.layout import Layout
from middleware.log_context import LogContext
from middleware.release import Release
from middleware.runs import Runs

#: A worker that has not been heard of for so long is dead to Dramatiq, which then hands its messages on, in ms.
HEARTBEAT_TIMEOUT_MS: Final = 12_000
#: How many commands of a million look for dead workers; a tenth of them, so that it happens at once.
MAINTENANCE_CHANCE: Final = 100_000
#: The longest that an idle consumer waits before it asks again, in ms, by queue; others wait for `SLOW_POLL_MS`.
POLL_MS: Final = {"send_email": 50, "parse_csv": 100}
SLOW_POLL_MS: Final = 500


class StoppedWithoutRedis(Exception):
    """The worker stops and Redis cannot be asked: the message is not acknowledged and will come again."""


class MsgspecEncoder(dramatiq.Encoder):
    """Dramatiq's JSON, written and read by msgspec."""

    def encode(self, data: dict[str, Any]) -> bytes:
        return msgspec.json.encode(data)

    def decode(self, data: bytes) -> dict[str, Any]:
        return msgspec.json.decode(data, type=dict[str, Any])


class Broker(RedisBroker):
    """Dramatiq's Redis broker with consumers that stay awake and that can be stopped while Redis is away."""

    def __init__(self, client: Redis, middleware: list[dramatiq.Middleware], stopping: threading.Event) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=middleware,
            heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )
        self.stopping = stopping

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        return Consumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:
        return super().consume(queue_name, prefetch, min(timeout, POLL_MS.get(queue_name, SLOW_POLL_MS)))


class Consumer(_RedisConsumer):
    """Acknowledges as Dramatiq's does, but does not wait for Redis for ever once the worker is stopping."""

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._unless_stopping(super().ack, message)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        self._unless_stopping(super().nack, message)

    def _unless_stopping(self, step: Any, message: dramatiq.MessageProxy) -> None:
        try:
            step(message)
        except ConnectionClosed as error:
            if self.broker.stopping.is_set():
                raise StoppedWithoutRedis from error
            raise


def connect(url: str) -> Redis:
    """A Redis client for threads: bounded waits, a few quick tries before an error is an error, no foreign layout."""
    return Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=10,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 2),
        redis_connect_func=layout.on_connect,
    )


_settings = settings.current()
logs.configure(_settings.log_level, _settings.log_format)
dramatiq.set_encoder(MsgspecEncoder())

#: Names this process wherever it claims something.
WORKER_ID: Final = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
#: Set when the worker shuts down.
stopping: Final = threading.Event()
redis: Final = connect(_settings.redis_url)
limits: Final = Limits(_settings.provider_tpm, _settings.domain_tpm)
ledger: Final = Ledger(redis, _settings.email_provider, _settings.send_timeout_s, limits)


def _pacer(slots: int) -> Pacer:
    provider, every_s = _settings.email_provider, _settings.reconcile_every_s
    return Pacer(redis, provider, WORKER_ID, slots, reconcile_every_s=every_s, limits=limits)


broker: Final = Broker(
    redis,
    [
        Layout(redis, stopping),
        EventLoop(),
        CurrentMessage(),
        LogContext(),
        Retries(
            max_retries=_settings.max_retries,
            min_backoff=int(_settings.retry_min_backoff_s * 1000),
            max_backoff=int(_settings.retry_max_backoff_s * 1000),
        ),
        Admission(ledger, WORKER_ID, stopping),
        Runs(ledger),
        Release(redis, _pacer, WORKER_ID, stopping),
    ],
    stopping,
)
dramatiq.set_broker(broker)
