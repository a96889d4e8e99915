"""What Dramatiq keeps in Redis. Postrider writes there too, and reads the dead letters: no upgrade may change it
unnoticed.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers import redis as dramatiq_redis
from dramatiq.brokers.redis import RedisBroker

from broker import redis_broker as root
from campaigns import keys, messages
from campaigns.ledger import requeued_entry
from lists.recipient import Recipient
from middleware.notifier import Notifier
from tests.support.dramatiq_stack import QUEUE, DramatiqStack
from tests.support.ledger_harness import LedgerHarness
from tests.support.waiting import until


class Played:
    """Stand-ins for the three actors on a separate broker; `calls`: what they were called with."""

    def __init__(self, client: redis.Redis) -> None:
        self.broker: Any = RedisBroker(client=client)  # type: ignore[no-untyped-call]
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.messages: list[Any] = []
        self.actors = {name: self._actor(name, queue) for name, queue in messages.QUEUES.items()}

    def _actor(self, name: str, queue: str) -> Any:
        def act(*args: Any, **kwargs: Any) -> None:
            self.calls.append((name, args, kwargs))

        return dramatiq.actor(actor_name=name, queue_name=queue, broker=self.broker)(act)

    def perform(self) -> None:
        """Empty all queues with a real worker."""
        worker = dramatiq.Worker(self.broker, worker_timeout=10, worker_threads=1)
        worker.start()
        try:
            until(lambda: not any(self.broker.do_qsize(queue) for queue in messages.QUEUES.values()), "empty queues")
        finally:
            worker.stop(10_000)


def kept(client: Any) -> dict[str, Any]:
    """What Dramatiq's keys hold, with ids replaced by numbers in the order of the queue, and messages decoded."""
    found: dict[str, Any] = {}
    for queue in messages.QUEUES.values():
        ids = [name.decode() for name in client.lrange(f"dramatiq:{queue}", 0, -1)]
        stored = {name.decode(): json.loads(data) for name, data in client.hgetall(f"dramatiq:{queue}.msgs").items()}
        assert sorted(ids) == sorted(stored)
        assert all(stored[name]["options"].pop("redis_message_id") == name for name in ids)
        for message in stored.values():
            assert isinstance(message.pop("message_id"), str)
            assert abs(message.pop("message_timestamp") - root_time_ms(client)) < 60_000
        found[queue] = [stored[name] for name in ids]
    others = [key for key in client.keys("dramatiq:*") if b"__heartbeats__" not in key and client.type(key) == b"set"]
    assert others == []
    return found


def root_time_ms(client: Any) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def test_a_message_that_postrider_sends_equals_one_that_dramatiq_enqueues(redis_client: redis.Redis) -> None:
    # Given the three actors' messages as Dramatiq itself enqueues them
    played = Played(redis_client)
    played.actors["ParseCsv"].send("c1", "g1", 0)
    played.actors["SendEmail"].send("c1", "g1", [[1, "zoë@shop.test", ["Zoë"]]])
    played.actors["Reconcile"].send("c1", retry_failed=True)
    theirs = kept(redis_client)
    redis_client.flushall()
    # When Postrider enqueues the same messages
    messages.send(redis_client, "ParseCsv", "c1", "g1", 0)
    messages.send(redis_client, "SendEmail", "c1", "g1", [[1, "zoë@shop.test", ["Zoë"]]])
    messages.send(redis_client, "Reconcile", "c1", retry_failed=True)
    # Then nothing differs but ids and times
    assert kept(redis_client) == theirs
    # And a worker takes them, and leaves nothing behind
    played.perform()
    assert sorted(played.calls) == [
        ("ParseCsv", ("c1", "g1", 0), {}),
        ("Reconcile", ("c1",), {"retry_failed": True}),
        ("SendEmail", ("c1", "g1", [[1, "zoë@shop.test", ["Zoë"]]]), {}),
    ]
    assert dramatiq_keys(redis_client) == []


def dramatiq_keys(client: Any) -> list[bytes]:
    return [key for key in client.keys("dramatiq:*") if b"__heartbeats__" not in key]


def test_what_the_dispatch_script_writes_equals_what_dramatiq_enqueues(redis_client: redis.Redis) -> None:
    # Given a campaign with a ready batch and one that was requeued after two attempts
    harness, played = LedgerHarness(redis_client), Played(redis_client)
    campaign = harness.start(rows=3)
    harness.ledger.requeue(
        "c1", campaign.list_version, "earlier", [requeued_entry(2, Recipient(*person(9)))], partly_admitted=False
    )
    # When they are dispatched
    harness.dispatch()
    ours = kept(redis_client)
    # Then their messages equal Dramatiq's, with the attempts among the options, and so do the messages that parse and
    # prefetch
    redis_client.flushall()
    parse, send = played.actors["ParseCsv"], played.actors["SendEmail"]
    parse.send("c1", campaign.list_version)
    parse.send("c1", campaign.list_version, 0)
    played.broker.enqueue(send.message_with_options(args=("c1", campaign.list_version, [person(9)]), retries=2))
    send.send("c1", campaign.list_version, [person(row) for row in (1, 2, 3)])
    assert kept(redis_client) == ours


def person(row: int) -> list[Any]:
    """A recipient as a message holds it."""
    return [row, f"r{row}@shop.test", []]


def test_a_worker_takes_and_acknowledges_a_dispatched_batch(redis_client: redis.Redis) -> None:
    harness, played = LedgerHarness(redis_client), Played(redis_client)
    campaign = harness.start(rows=3)
    harness.dispatch()
    played.perform()
    batch: Any = ("SendEmail", ("c1", campaign.list_version, [person(row) for row in (1, 2, 3)]), {})
    assert [call for call in played.calls if call[0] == "SendEmail"] == [batch]
    assert dramatiq_keys(redis_client) == []


def test_dead_letters_are_where_reconcile_looks_for_them_for_seven_days(redis_client: redis.Redis) -> None:
    # Given a message that fails for good
    stack = DramatiqStack(redis_client)
    stack.errors = [ValueError("once"), ValueError("twice")]
    stack.play.send("x")
    stack.perform()
    # Then a sorted set holds its id by the time in ms, and a hash holds the message as it was last enqueued
    dead: Any = redis_client
    [(letter_id, time_ms)] = dead.zrange(keys.dramatiq_dead(QUEUE), 0, -1, withscores=True)
    assert abs(time_ms - root_time_ms(redis_client)) < 60_000
    letter = json.loads(dead.hgetall(keys.dramatiq_dead(QUEUE) + ".msgs")[letter_id])
    assert (letter["actor_name"], letter["args"], letter["options"]["retries"]) == ("play", ["x"], 1)
    # And maintenance removes it after seven days, and not before
    dead_message_ttl = configured(redis_client).dead_message_ttl
    assert dead_message_ttl == 7 * 24 * 3600 * 1000
    maintain(stack.broker, root_time_ms(redis_client) + dead_message_ttl - 60_000)
    assert redis_client.zcard(keys.dramatiq_dead(QUEUE)) == 1
    maintain(stack.broker, root_time_ms(redis_client) + dead_message_ttl + 1)
    assert dramatiq_keys(redis_client) == []


def maintain(broker: Any, now_ms: int) -> None:
    """One fetch that also does Dramatiq's maintenance, at a time that the test chooses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dramatiq_redis, "current_millis", lambda: now_ms)
        patch.setattr(broker, "maintenance_chance", dramatiq_redis.MAINTENANCE_SCALE)
        broker.do_fetch(QUEUE, 0)


class Clock:
    """The time by which brokers of this process record their heartbeats, in ms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, start_ms: int) -> None:
        self.now_ms = start_ms
        monkeypatch.setattr(dramatiq_redis, "current_millis", lambda: self.now_ms)


def configured(client: redis.Redis) -> Any:
    """A broker as a worker has it, without its middleware."""
    stopping = threading.Event()
    return root.Broker(client, [], stopping, Notifier(client, stopping))


def test_the_messages_of_a_killed_worker_come_back_within_seconds(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that has taken a message, and gives no more signs of life
    clock = Clock(monkeypatch, root_time_ms(redis_client))
    dead, alive = configured(redis_client), configured(redis_client)
    message_id = messages.send(redis_client, "SendEmail", "c1", "g1", [])
    assert next(dead.consume("send_email")).message_id == message_id
    # When another worker asks for messages until shortly before the first one counts as dead
    monkeypatch.setattr(root, "MAINTENANCE_EVERY_S", 0)
    clock.now_ms += root.HEARTBEAT_TIMEOUT_MS - 1
    assert not any(alive.do_fetch("send_email", 1) for _ in range(300))
    # Then it gets none; and after that time, it gets the message with its first fetch
    clock.now_ms += 2
    assert alive.do_fetch("send_email", 1)
    # And that takes seconds, since an idle consumer looks for dead workers with every fetch
    assert root.IDLE_POLL_S >= 1
    assert root.IDLE_POLL_S * 1000 + root.HEARTBEAT_TIMEOUT_MS <= 20_000
    assert root.HEARTBEAT_TIMEOUT_MS >= 2 * root.IDLE_POLL_S * 1000


def test_only_a_thread_that_fetches_looks_for_dead_workers_and_seldom(redis_client: redis.Redis) -> None:
    """Dramatiq's maintenance may run KEYS, so it must stay rare, however many messages are fetched."""
    broker = configured(redis_client)
    assert [broker._should_do_maintenance(command) for command in ("enqueue", "ack", "fetch")] == [0, 0, 1]
    with ThreadPoolExecutor(1) as another:
        assert another.submit(broker._should_do_maintenance, "fetch").result() == 1
    started = time.monotonic()
    looked = sum(broker._should_do_maintenance("fetch") for _ in range(1000))
    assert looked <= (time.monotonic() - started) / root.MAINTENANCE_EVERY_S + 1


def test_a_worker_that_fetches_counts_as_alive_however_long_its_message_takes(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, root_time_ms(redis_client))
    slow, other = configured(redis_client), configured(redis_client)
    messages.send(redis_client, "SendEmail", "c1", "g1", [])
    next(slow.consume("send_email"))
    for _ in range(5):
        clock.now_ms += root.HEARTBEAT_TIMEOUT_MS - 1
        slow.do_fetch("parse_csv", 1)  # a consumer of any of its queues
        assert not any(other.do_fetch("send_email", 1) for _ in range(100))
