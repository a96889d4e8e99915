"""Every private part of Dramatiq that Postrider relies on; no other file of the project may touch one.

`pyproject.toml` pins Dramatiq to 2.2.*, where these are, and `tests/unit/test_dramatiq_private.py` holds each of them:

- `brokers.redis._RedisConsumer`: its constructor, `message_cache` (fetched messages that it has not given yet) and
  `outstanding_message_count` (these and those that are being worked on); that it turns no Redis error but
  `ConnectionError` into `ConnectionClosed`.
- `RedisBroker._should_do_maintenance(command)`: whether a command looks for the messages of dead workers too.
- `RedisBroker.do_fetch` and `do_requeue`: commands of its Lua script, made by `__getattr__`. A `do_fetch` of no message
  is a heartbeat.
- `RedisBroker.broker_id`, `namespace`, and the set `{namespace}:__acks__.{broker_id}.{queue}` in Redis: the messages
  that this process has fetched and not acknowledged.
- `Broker.delay_queues`, `common.dq_name`: the queues of messages that wait for their time.
- the option `redis_message_id` of a message: its id in Redis, another one for each retry.
- `MessageProxy._message`: the message that the actor and a retry get.
- `asyncio.EventLoopThread.loop`: the loop that the thread will run, made by its constructor.

Also relied on, and held where it is used: what Dramatiq's queues and dead letters look like in Redis
(`tests/integration/test_dramatiq_queues.py`), which exceptions leave a hook, and in which order hooks are called
(`tests/integration/test_dramatiq_hooks.py`), and the words of one log line (`tests/unit/test_logs.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dramatiq
import uvloop
from dramatiq.asyncio import EventLoopThread
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name
from redis import Redis


class BrokerInternals(RedisBroker):
    """Dramatiq's Redis broker. Its private parts have typed names here."""

    client: Redis

    def __init__(self, client: Redis, middleware: list[dramatiq.Middleware], heartbeat_timeout_ms: int) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client, middleware=middleware, heartbeat_timeout=heartbeat_timeout_ms
        )

    def looks_for_dead_workers(self, command: str) -> bool:
        """Whether this command also looks for the messages of dead workers. Dramatiq decides at random."""
        raise NotImplementedError

    def _should_do_maintenance(self, command: str) -> int:
        return int(self.looks_for_dead_workers(command))

    def beat(self, queue_name: str) -> None:
        """Send a heartbeat without fetching a message."""
        self.do_fetch(queue_name, 0)

    def fetched(self, queue_name: str) -> set[str]:
        """The ids in Redis of the messages that this process has fetched from a queue and not acknowledged."""
        untyped: Any = self.client
        found = untyped.smembers(f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}")
        return {redis_id.decode() for redis_id in found}

    def put_back(self, queue_name: str, redis_ids: Iterable[str]) -> None:
        """Put fetched messages back on their queue."""
        self.do_requeue(queue_name, *redis_ids)

    def is_delay_queue(self, queue_name: str) -> bool:
        """Whether this queue holds delayed messages."""
        return queue_name in self.delay_queues

    @staticmethod
    def delay_queue(queue_name: str) -> str:
        """The queue for the delayed messages of a queue."""
        return dq_name(queue_name)


class ConsumerInternals(_RedisConsumer):
    """Dramatiq's consumer. Its private parts have typed names here."""

    queue_name: str

    def __init__(self, broker: RedisBroker, queue_name: str, prefetch: int) -> None:
        # The parent sleeps for 1 ms at most if there is nothing to do, because `redis_broker.Consumer` sleeps itself.
        super().__init__(broker, queue_name, prefetch, 1)  # type: ignore[no-untyped-call]

    def take(self) -> dramatiq.MessageProxy | None:
        """The next fetched message. If there is none, fetch more. None: the queue is empty."""
        taken: dramatiq.MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        return taken

    @property
    def is_busy(self) -> bool:
        """Whether the process still works, or will work, on messages that this consumer has fetched."""
        return bool(self.outstanding_message_count)

    @property
    def holds_untaken(self) -> bool:
        """Whether the consumer has fetched messages that no thread has taken yet."""
        return bool(self.message_cache)

    def forget_untaken(self) -> None:
        """Forget the fetched messages that no thread has taken yet."""
        self.message_cache = []


def redis_id(message: dramatiq.MessageProxy) -> str:
    """The id in Redis of a message from a consumer."""
    found: str = message.options["redis_message_id"]
    return found


def set_arguments(message: dramatiq.MessageProxy, *args: Any) -> None:
    """Change a message's arguments in process, for the actor and for a retry. The copy in Redis does not change."""
    message._message = message._message.copy(args=args)  # noqa: SLF001 - there is no other way in


def set_option(message: dramatiq.MessageProxy, name: str, value: Any) -> None:
    """Set a message's option in process, for the actor and for a retry. The copy in Redis does not change."""
    message._message = message._message.copy(options={name: value})  # noqa: SLF001 - there is no other way in


class UvloopThread(EventLoopThread):
    """Dramatiq's event loop thread, on uvloop."""

    def __init__(self, logger: object) -> None:
        super().__init__(logger)
        self.loop.close()
        self.loop = uvloop.new_event_loop()
