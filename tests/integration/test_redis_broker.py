"""The consumer on a real Redis whose responses are lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import dramatiq
import pytest
import redis
from redis.connection import Connection

from broker.redis_broker import Broker, Consumer
from worker.redis_client import connect

QUEUE: Final = "play"


class Awake:
    """A notifier of a consumer that never sleeps."""

    def clear(self, queue: str) -> None: ...

    def wait(self, queue: str, timeout_s: float) -> None: ...


@pytest.fixture
def broker(redis_client: redis.Redis, valkey_url: str) -> Iterator[Broker]:
    redis_client.ping()
    client = connect(valkey_url)
    made = Broker(client, [], threading.Event(), Awake())
    made.declare_queue(QUEUE)
    yield made
    client.connection_pool.disconnect()


@pytest.mark.parametrize("lost", [redis.TimeoutError, redis.ConnectionError])
def test_a_message_whose_fetch_was_answered_to_no_one_is_fetched_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, lost: type[redis.RedisError]
) -> None:
    # Given a consumer that polls, and a message on its queue
    consumer = Consumer(broker, QUEUE, 1)
    assert next(consumer) is None
    broker.enqueue(dramatiq.Message(QUEUE, "act", (1,), {}, {}))
    # When Redis executes a fetch, and the response is lost: the client sends the fetch again
    lose_one_response(monkeypatch, lost("lost"))
    assert next(consumer) is None
    # Then the consumer takes the message at its next poll
    message = next(consumer)
    assert message is not None
    assert message.args == (1,)
    consumer.ack(message)
    assert broker.fetched(QUEUE) == set()


def test_a_new_connection_leaves_the_messages_alone_that_the_consumer_holds(broker: Broker) -> None:
    # Given a consumer that works on one message and has fetched two more
    consumer = Consumer(broker, QUEUE, 3)
    for n in range(3):
        broker.enqueue(dramatiq.Message(QUEUE, "act", (n,), {}, {}))
    first = next(consumer)
    # When its connections are replaced
    broker.client.connection_pool.disconnect()
    taken = [first, next(consumer), next(consumer)]
    # Then it gets each message once
    assert [message.args for message in taken if message] == [(0,), (1,), (2,)]
    broker.client.connection_pool.disconnect()
    assert [next(consumer) for _ in range(3)] == [None] * 3
    assert len(broker.fetched(QUEUE)) == 3


def lose_one_response(monkeypatch: pytest.MonkeyPatch, error: redis.RedisError) -> None:
    """Let the next response of Redis arrive, and raise `error` in its place."""
    read = Connection.read_response
    errors = [error]

    def lossy(connection: Any, *args: Any, **kwargs: Any) -> Any:
        response = read(connection, *args, **kwargs)
        if errors:
            connection.disconnect()
            raise errors.pop()
        return response

    monkeypatch.setattr(Connection, "read_response", lossy)
