"""The broker's consumers after an outage of Redis: no fetched message is left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.errors import ConnectionClosed

from broker.redis_broker import Broker
from campaigns import keys
from campaigns.db.retrying import StoppedWithoutRedis
from middleware.notifier import Notifier

QUEUE = "post"


@pytest.fixture
def broker(fake_redis: redis.Redis) -> Broker:
    stopping = threading.Event()
    broker = Broker(fake_redis, [], stopping, Notifier(fake_redis, stopping), idle_poll_s=0.001)
    broker.declare_queue(QUEUE)
    return broker


def put(broker: Broker, count: int, delay_ms: int | None = None) -> list[str]:
    """Enqueue `count` messages; return their ids."""
    ids = []
    for number in range(count):
        message: dramatiq.Message[Any] = dramatiq.Message(QUEUE, "act", (number,), {}, {})
        ids.append(broker.enqueue(message, delay=delay_ms).message_id)
    return ids


def ids_from(consumer: Any) -> Iterator[str]:
    """The ids of the messages that a consumer yields, until it has none."""
    while message := next(consumer):
        yield message.message_id


def test_a_new_consumer_yields_what_the_old_one_had_fetched_but_not_yielded(broker: Broker) -> None:
    first, *others = put(broker, 4)
    before: Any = broker.consume(QUEUE, prefetch=4, timeout=1)
    assert next(before).message_id == first
    # When the connection was lost, and Dramatiq makes another consumer
    after: Any = broker.consume(QUEUE, prefetch=4, timeout=1)
    # Then it yields the other messages, and not the one that a thread works on
    assert sorted(ids_from(after)) == sorted(others)


def test_delayed_messages_are_yielded_again_by_the_next_consumer(broker: Broker) -> None:
    """Given delayed messages, which Dramatiq forgets with the consumer that yielded them, then the next consumer yields
    them again.
    """
    ids = put(broker, 3, delay_ms=60_000)
    assert list(ids_from(broker.consume(f"{QUEUE}.DQ", prefetch=9, timeout=1))) == ids
    assert sorted(ids_from(broker.consume(f"{QUEUE}.DQ", prefetch=9, timeout=1))) == sorted(ids)


def test_acknowledged_messages_do_not_come_again(broker: Broker) -> None:
    put(broker, 2)
    before: Any = broker.consume(QUEUE, prefetch=2, timeout=1)
    before.ack(next(before))
    before.nack(next(before))
    assert list(ids_from(broker.consume(QUEUE, prefetch=2, timeout=1))) == []
    assert broker.held(QUEUE) == set()


@pytest.mark.parametrize("error", [redis.TimeoutError, redis.ConnectionError, redis.exceptions.OutOfMemoryError])
@pytest.mark.parametrize("step", ["fetch", "ack", "nack", "requeue"])
def test_every_redis_error_becomes_a_lost_connection(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, step: str, error: type[redis.RedisError]
) -> None:
    put(broker, 2)
    consumer: Any = broker.consume(QUEUE, prefetch=1, timeout=1)
    message = next(consumer)

    def fail(*_: object) -> None:
        raise error("as the test asks for")

    monkeypatch.setattr(broker, f"do_{step}", fail, raising=False)
    consumer.prefetch = 2
    argument = {"fetch": [], "requeue": [[message]]}.get(step, [message])
    with pytest.raises(ConnectionClosed):
        getattr(consumer, "__next__" if step == "fetch" else step)(*argument)
    if step in {"ack", "nack"}:
        broker.stopping.set()
        with pytest.raises(StoppedWithoutRedis):
            getattr(consumer, step)(message)


def test_a_stopping_worker_fetches_nothing_more_and_returns_what_it_has_fetched(
    broker: Broker, fake_redis: redis.Redis
) -> None:
    """Given a consumer that has fetched four messages and yielded one, which a thread works on."""
    first, *others = put(broker, 4)
    before: Any = broker.consume(QUEUE, prefetch=4, timeout=1)
    assert next(before).message_id == first
    with fake_redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(keys.NOTIFICATIONS)
        channel.get_message(timeout=1)
        # When the worker is told to stop, and another message comes
        broker.stopping.set()
        assert next(before) is None
        # Then the other messages are on the queue again, and other workers are notified
        assert [message["data"] for message in iter(channel.get_message, None)] == [QUEUE.encode()]
    others += put(broker, 1)
    assert next(before) is None
    another = Broker(fake_redis, [], threading.Event(), broker.notifier, idle_poll_s=0.001)
    assert sorted(ids_from(another.consume(QUEUE, prefetch=9, timeout=1))) == sorted(others)
    # And while the worker works on the first message, it counts as alive
    beats = fake_redis.zscore("dramatiq:__heartbeats__", broker.broker_id)
    assert next(before) is None
    assert (fake_redis.zscore("dramatiq:__heartbeats__", broker.broker_id) or 0) >= (beats or 0)


def test_messages_that_dramatiq_returns_to_the_queue_notify_the_workers(
    broker: Broker, fake_redis: redis.Redis
) -> None:
    put(broker, 1)
    consumer: Any = broker.consume(QUEUE, prefetch=1, timeout=1)
    message = next(consumer)
    with fake_redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(keys.NOTIFICATIONS)
        channel.get_message(timeout=1)
        consumer.requeue([message])
        assert [message["data"] for message in iter(channel.get_message, None)] == [QUEUE.encode()]
    assert broker.held(QUEUE) == set()


def test_messages_fetched_before_a_consumer_closes_return_to_the_queue_at_once(
    broker: Broker, fake_redis: redis.Redis
) -> None:
    """Given that Dramatiq closes a consumer with fetched messages that no thread has got."""
    first, *others = put(broker, 3)
    consumer: Any = broker.consume(QUEUE, prefetch=3, timeout=1)
    assert next(consumer).message_id == first
    broker.stopping.set()
    consumer.close()
    another = Broker(fake_redis, [], threading.Event(), broker.notifier, idle_poll_s=0.001)
    assert sorted(ids_from(another.consume(QUEUE, prefetch=9, timeout=1))) == sorted(others)
