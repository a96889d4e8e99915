"""The notifier: every message that goes onto a queue notifies, and an idle consumer wakes at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from dramatiq import Message
from redis import Redis

from broker.redis_broker import Broker
from campaigns import keys, messages
from campaigns.dispatcher import DispatchResult
from campaigns.models import UnknownDecision
from campaigns.parsing import Parsing
from middleware.dispatch import Dispatch
from middleware.notifier import Notifier
from tests.support.ledger_harness import LedgerHarness, recipient, scanned

#: Far longer than a notification takes.
LONG_S = 120.0


@pytest.fixture
def notified(fake_redis: Redis) -> Iterator[Any]:
    """Returns the names of the queues that have been notified so far."""
    with fake_redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(keys.NOTIFICATIONS)
        channel.get_message(timeout=1)

        def names() -> list[str]:
            return [message["data"].decode() for message in iter(channel.get_message, None)]

        yield names


@pytest.fixture
def notifier(fake_redis: Redis) -> Iterator[Notifier]:
    """A notifier that listens."""
    stopping = threading.Event()
    notifier = Notifier(fake_redis, stopping)
    notifier.after_worker_boot(None, None)  # type: ignore[arg-type]
    deadline = time.monotonic() + LONG_S
    while not fake_redis.pubsub_numsub(keys.NOTIFICATIONS)[0][1]:
        assert time.monotonic() < deadline
    yield notifier
    stopping.set()


def test_every_script_that_enqueues_a_message_notifies_its_queue(notified: Any, harness: LedgerHarness) -> None:
    messages.send(harness.redis, "Reconcile", "c1")
    assert notified() == ["reconcile"]
    harness.make()
    assert notified() == ["parse_csv"]
    harness.controls.start("c1")
    notified()
    harness.prefetch(harness.catalog.get("c1"))
    assert notified() == ["dispatch"]
    assert len(harness.batches()) == 1
    assert notified() == ["send_email"]
    assert harness.batches() == []
    assert notified() == []


def test_messages_that_dramatiq_enqueues_notify_too(notified: Any, fake_redis: Redis) -> None:
    broker = Broker(fake_redis, [], threading.Event(), Notifier(fake_redis, threading.Event()))
    broker.declare_queue("post")
    broker.enqueue(Message("post", "act", (), {}, {}))
    broker.enqueue(Message("post", "act", (), {}, {}), delay=60_000)
    assert notified() == ["post", "post.DQ"]


def test_a_notification_wakes_only_the_consumers_of_its_queue(notifier: Notifier, fake_redis: Redis) -> None:
    for queue in ("reconcile", "parse_csv"):
        notifier.clear(queue)
    messages.send(fake_redis, "Reconcile", "c1")
    started = time.monotonic()
    notifier.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2
    assert not notifier._event("parse_csv").is_set()


def test_a_notification_between_the_check_and_the_wait_is_not_lost(notifier: Notifier) -> None:
    notifier.clear("reconcile")
    notifier.notify("reconcile")
    started = time.monotonic()
    notifier.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2


def test_a_consumer_of_a_stopping_worker_does_not_wait(notifier: Notifier) -> None:
    notifier.clear("reconcile")
    notifier.before_worker_shutdown(None, None)  # type: ignore[arg-type]
    started = time.monotonic()
    notifier.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2
    # And a consumer that checks once more, before it is told to stop, does not wait again
    notifier.clear("reconcile")
    notifier.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2


def test_the_dispatcher_is_notified_when_the_first_recipients_are_ready(notified: Any, harness: LedgerHarness) -> None:
    harness.make(rows=3000)
    harness.controls.start("c1")
    campaign = harness.catalog.get("c1")
    notified()
    harness.ledger.prefetch("c1", campaign.list_version, 0, 1000, [])
    assert notified() == [], "a slice without a recipient"
    harness.ledger.prefetch("c1", campaign.list_version, 1, 2000, [recipient(1001)])
    assert notified() == ["dispatch"]
    harness.ledger.prefetch("c1", campaign.list_version, 2, 3000, [recipient(2001)])
    assert notified() == [], "recipients are ready already"


def test_the_dispatcher_is_notified_whenever_a_campaign_begins_to_run(notified: Any, harness: LedgerHarness) -> None:
    """Given a dispatcher that sleeps for long while no campaign runs."""
    harness.make(rows=2)
    notified()
    harness.controls.start("c1")
    assert "dispatch" in notified()
    harness.controls.pause("c1")
    assert notified() == []
    harness.controls.resume("c1")
    assert "dispatch" in notified()
    campaign = harness.catalog.get("c1")
    harness.prefetch(campaign)
    [batch] = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "unknown")
    harness.settle(batch, [2], "rejected")
    assert harness.report().status == "completed"
    notified()
    harness.reconciler.retry_failed(campaign)
    assert notified() == ["dispatch"]
    assert harness.drain() == [2]
    notified()
    harness.reconciler.decide(campaign, UnknownDecision.RESEND)
    assert notified() == ["dispatch"]


def test_the_dispatcher_is_notified_when_a_start_has_waited_for_the_parser(
    notified: Any, harness: LedgerHarness
) -> None:
    harness.make()
    list_version, _ = harness.catalog.accept_list(
        "c1", object_key="other.csv", size=20, filename="list.csv", email_column="email"
    )
    parsing = Parsing(harness.redis, "c1", list_version)
    harness.controls.start("c1")
    notified()
    assert parsing.finish(scanned(b"email,name\na@shop.test,Ann\n")) == "running"
    assert notified() == ["dispatch"]


class Rounds:
    """A dispatcher that has nothing to do for long, and counts its rounds."""

    def __init__(self, leader: bool) -> None:
        self.leader = leader
        self.rounds: SimpleQueue[int] = SimpleQueue()
        self.left = threading.Event()

    def dispatch(self) -> DispatchResult:
        self.rounds.put(1)
        return DispatchResult(leader=self.leader, idle=True, wait_ms=int(LONG_S * 1000))

    def find_claims(self) -> None:
        pass

    def leave(self) -> None:
        self.left.set()


@pytest.mark.parametrize("leader", [True, False])
def test_a_notification_wakes_the_dispatcher_and_so_does_the_end(
    fake_redis: Redis, notifier: Notifier, leader: bool
) -> None:
    """Given a worker that dispatches, or one that may have to take over from a worker that died while no
    campaign ran.
    """
    rounds = Rounds(leader)
    worker: Any = SimpleNamespace(worker_threads=1)
    dispatch = Dispatch(fake_redis, lambda _slots: rounds, "w1", threading.Event(), notifier)  # type: ignore[arg-type,return-value]
    dispatch.after_worker_boot(None, worker)  # type: ignore[arg-type]
    assert rounds.rounds.get(timeout=LONG_S)
    fake_redis.publish(keys.NOTIFICATIONS, "dispatch")
    assert rounds.rounds.get(timeout=LONG_S / 2)
    dispatch.after_worker_shutdown(None, worker)  # type: ignore[arg-type]
    assert rounds.left.is_set()
