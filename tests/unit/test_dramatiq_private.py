"""Private parts of Dramatiq behave as `broker/dramatiq_private.py` expects: no upgrade may change one unnoticed."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
import uvloop
from dramatiq import asyncio as dramatiq_asyncio
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed

from broker import dramatiq_private
from broker.dramatiq_private import BrokerInternals, ConsumerInternals, UvloopThread, redis_id

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "post"
#: Names and modules of Dramatiq that only `broker/dramatiq_private.py` may use.
PRIVATE_NAMES = {
    *("_RedisConsumer", "_message", "_should_do_maintenance", "message_cache", "outstanding_message_count"),
    *("queued_message_ids", "broker_id", "delay_queues", "dq_name", "consumer_class", "EventLoopThread"),
    *("do_ack", "do_enqueue", "do_fetch", "do_nack", "do_purge", "do_qsize", "do_requeue"),
}
PRIVATE_MODULES = {"dramatiq.brokers.redis", "dramatiq.common"}


@pytest.fixture
def broker(fake_redis: redis.Redis) -> Any:
    """Dramatiq's own broker with one queue."""
    broker: Any = RedisBroker(client=fake_redis)  # type: ignore[no-untyped-call]
    broker.declare_queue(QUEUE)
    return broker


def put(broker: Any, count: int = 1, **options: Any) -> list[Any]:
    return [broker.enqueue(dramatiq.Message(QUEUE, "act", (n,), {}, {}), **options) for n in range(count)]


def consumer(broker: Any, prefetch: int = 9) -> Any:
    return _RedisConsumer(broker, QUEUE, prefetch, 1)  # type: ignore[no-untyped-call]


def acks(broker: Any) -> set[bytes]:
    """The key as Dramatiq's script builds it."""
    found: set[bytes] = broker.client.smembers(f"dramatiq:__acks__.{broker.broker_id}.{QUEUE}")
    return found


def test_a_consumer_takes_four_arguments_and_exposes_its_queue_and_broker(broker: Any) -> None:
    names = list(inspect.signature(_RedisConsumer.__init__).parameters)
    assert names == ["self", "broker", "queue_name", "prefetch", "timeout"]
    made = consumer(broker)
    assert (made.broker, made.queue_name, made.prefetch, made.timeout) == (broker, QUEUE, 9, 1)


def test_a_consumer_caches_fetched_messages_and_counts_those_in_process(broker: Any) -> None:
    put(broker, 3)
    made = consumer(broker)
    assert (made.message_cache, made.outstanding_message_count) == ([], 0)
    message = next(made)
    assert (len(made.message_cache), made.outstanding_message_count) == (2, 3)
    made.ack(message)
    assert made.outstanding_message_count == 2
    made.message_cache = []
    assert next(made) is None


def test_a_consumer_turns_only_a_lost_connection_into_dramatiqs_own_error(broker: Any) -> None:
    """Therefore `redis_broker.Consumer` turns every other Redis error into it."""
    for error, raised in ((redis.ConnectionError, ConnectionClosed), (redis.ResponseError, redis.ResponseError)):
        put(broker)
        made = consumer(broker)
        message = next(made)
        broker.__dict__["do_ack"] = broker.__dict__["do_fetch"] = failing(error)
        with pytest.raises(raised):
            made.ack(message)
        with pytest.raises(raised):
            next(made)
        del broker.__dict__["do_ack"], broker.__dict__["do_fetch"]


def failing(error: type[Exception]) -> Any:
    def fail(*_: Any) -> None:
        raise error("as the test asks for")

    return fail


def test_each_command_asks_the_broker_whether_to_look_for_dead_workers(fake_redis: redis.Redis) -> None:
    asked: list[str] = []

    class Asked(BrokerInternals):
        def looks_for_dead_workers(self, command: str) -> bool:
            asked.append(command)
            return False

    broker: Any = Asked(fake_redis, [], 12_000)
    broker.declare_queue(QUEUE)
    put(broker)
    made = consumer(broker)
    made.ack(next(made))
    assert asked == ["enqueue", "fetch", "ack"]
    assert broker.heartbeat_timeout == 12_000
    assert RedisBroker._should_do_maintenance(broker, "ack") == 0


def test_fetched_messages_are_in_the_set_of_acks_by_their_redis_id(broker: Any) -> None:
    enqueued = put(broker, 2)
    ids = {message.options["redis_message_id"] for message in enqueued}
    assert len(ids) == 2
    assert not ids & {message.message_id for message in enqueued}
    made = consumer(broker)
    message = next(made)
    assert broker.namespace == "dramatiq"
    assert {name.decode() for name in acks(broker)} == ids
    assert BrokerInternals.fetched(broker, QUEUE) == ids
    made.ack(message)
    assert {name.decode() for name in acks(broker)} == ids - {redis_id(message)}
    # And a message that goes back to the queue can be fetched again
    BrokerInternals.put_back(broker, QUEUE, BrokerInternals.fetched(broker, QUEUE))
    assert acks(broker) == set()
    assert redis_id(next(consumer(broker))) in ids


def test_fetching_nothing_is_a_heartbeat(broker: Any) -> None:
    put(broker)
    broker.client.delete("dramatiq:__heartbeats__")
    BrokerInternals.beat(broker, QUEUE)
    assert broker.client.zscore("dramatiq:__heartbeats__", broker.broker_id)
    assert acks(broker) == set()


def test_delayed_messages_have_a_separate_queue(broker: Any) -> None:
    assert broker.delay_queues == {dq_name(QUEUE)} == {BrokerInternals.delay_queue(QUEUE)}
    put(broker, delay=60_000)
    assert broker.do_qsize(QUEUE) == 1  # the figure covers both queues
    assert next(consumer(broker)) is None
    assert next(_RedisConsumer(broker, dq_name(QUEUE), 1, 1)) is not None  # type: ignore[no-untyped-call]


def test_a_message_in_process_can_be_changed_and_its_retry_carries_the_change(broker: Any) -> None:
    put(broker)
    message = next(consumer(broker))
    before = message.options["redis_message_id"]
    dramatiq_private.set_arguments(message, 7, 8)
    dramatiq_private.set_option(message, "claim", "abc")
    assert (message.args, message.options["claim"], message.options["redis_message_id"]) == ((7, 8), "abc", before)
    # As Dramatiq's `Retries` does it
    retry = broker.enqueue(message.copy(options={"retries": 1}))
    assert (retry.args, retry.options["claim"], retry.message_id) == ((7, 8), "abc", message.message_id)
    assert retry.options["redis_message_id"] != before


@pytest.fixture
def thread() -> Iterator[UvloopThread]:
    thread = UvloopThread(logging.getLogger("test"))
    thread.start(timeout=30)
    dramatiq_asyncio.set_event_loop_thread(thread)
    yield thread
    thread.stop()  # type: ignore[no-untyped-call]
    dramatiq_asyncio.set_event_loop_thread(None)


def test_async_actors_run_in_the_event_loop_that_the_thread_was_given(thread: UvloopThread) -> None:
    async def where() -> tuple[object, threading.Thread]:
        return asyncio.get_running_loop(), threading.current_thread()

    assert isinstance(thread.loop, uvloop.Loop)
    assert dramatiq_asyncio.async_to_sync(where)() == (thread.loop, thread)


def test_the_consumer_does_not_override_a_member_of_dramatiqs_by_accident() -> None:
    """The parent classes have none of the names that are new here."""
    for own, parent in ((BrokerInternals, RedisBroker), (ConsumerInternals, _RedisConsumer)):
        new = {name for name in vars(own) if not name.startswith("_")}
        assert new & set(dir(parent)) == set()


def test_no_other_file_uses_a_private_part() -> None:
    own = ROOT / "broker" / "dramatiq_private.py"
    folders = ("api", "broker", "campaigns", "embedded", "mail", "middleware", "worker")
    files = {*ROOT.glob("*.py"), *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))}
    assert own in files
    assert {file.name: found for file in files - {own} if (found := private_parts(file))} == {}
    assert {"_RedisConsumer", "message_cache", "_message"} <= private_parts(own)


def private_parts(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in PRIVATE_MODULES:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.alias | ast.Attribute):
            name = node.name if isinstance(node, ast.alias) else node.attr
            found |= {name} & PRIVATE_NAMES
    return found
