"""The doorbell: every message that is put on a queue rings, and an idle consumer is awake at once."""

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
from campaigns.models import UnknownDecision
from campaigns.pacer import Tick
from campaigns.parsing import Parsing
from middleware.doorbell import Doorbell
from middleware.release import Release
from tests.support.ledger_harness import LedgerHarness, recipient, scanned

#: Far longer than a ring takes.
LONG_S = 120.0


@pytest.fixture
def rung(fake_redis: Redis) -> Iterator[Any]:
    """Gives the names of the queues that have been rung so far."""
    with fake_redis.pubsub(ignore_subscribe_messages=True) as bell:  # type: ignore[no-untyped-call]
        bell.subscribe(keys.BELL)
        bell.get_message(timeout=1)

        def names() -> list[str]:
            return [ring["data"].decode() for ring in iter(bell.get_message, None)]

        yield names


@pytest.fixture
def doorbell(fake_redis: Redis) -> Iterator[Doorbell]:
    """One that listens."""
    stopping = threading.Event()
    doorbell = Doorbell(fake_redis, stopping)
    doorbell.after_worker_boot(None, None)  # type: ignore[arg-type]
    deadline = time.monotonic() + LONG_S
    while not fake_redis.pubsub_numsub(keys.BELL)[0][1]:
        assert time.monotonic() < deadline
    yield doorbell
    stopping.set()


def test_who_puts_a_message_on_a_queue_rings(rung: Any, harness: LedgerHarness) -> None:
    messages.send(harness.redis, "Reconcile", "c1")
    assert rung() == ["reconcile"]
    harness.make()
    assert rung() == ["parse_csv"]
    harness.controls.start("c1")
    rung()
    harness.feed(harness.catalog.get("c1"))
    assert rung() == ["release"]
    assert len(harness.runs()) == 1
    assert rung() == ["send_email"]
    assert harness.runs() == []
    assert rung() == []


def test_what_dramatiq_enqueues_rings_too(rung: Any, fake_redis: Redis) -> None:
    broker = Broker(fake_redis, [], threading.Event(), Doorbell(fake_redis, threading.Event()))
    broker.declare_queue("post")
    broker.enqueue(Message("post", "act", (), {}, {}))
    broker.enqueue(Message("post", "act", (), {}, {}), delay=60_000)
    assert rung() == ["post", "post.DQ"]


def test_a_ring_wakes_the_consumers_of_its_queue_alone(doorbell: Doorbell, fake_redis: Redis) -> None:
    for queue in ("reconcile", "parse_csv"):
        doorbell.clear(queue)
    messages.send(fake_redis, "Reconcile", "c1")
    started = time.monotonic()
    doorbell.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2
    assert not doorbell._event("parse_csv").is_set()


def test_a_ring_after_the_look_and_before_the_sleep_is_not_lost(doorbell: Doorbell) -> None:
    doorbell.clear("reconcile")
    doorbell.ring("reconcile")
    started = time.monotonic()
    doorbell.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2


def test_who_stops_is_awake(doorbell: Doorbell) -> None:
    doorbell.clear("reconcile")
    doorbell.before_worker_shutdown(None, None)  # type: ignore[arg-type]
    started = time.monotonic()
    doorbell.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2
    # And a consumer that looks once more, before it is told to stop, does not fall asleep again
    doorbell.clear("reconcile")
    doorbell.wait("reconcile", LONG_S)
    assert time.monotonic() - started < LONG_S / 2


def test_the_pacer_is_rung_for_where_recipients_wait_and_none_did(rung: Any, harness: LedgerHarness) -> None:
    harness.make(rows=3000)
    harness.controls.start("c1")
    campaign = harness.catalog.get("c1")
    rung()
    harness.ledger.feed("c1", campaign.generation, 0, 1000, [])
    assert rung() == [], "a slice without a recipient"
    harness.ledger.feed("c1", campaign.generation, 1, 2000, [recipient(1001)])
    assert rung() == ["release"]
    harness.ledger.feed("c1", campaign.generation, 2, 3000, [recipient(2001)])
    assert rung() == [], "recipients wait already"


def test_the_pacer_is_rung_for_whenever_a_campaign_begins_to_run(rung: Any, harness: LedgerHarness) -> None:
    """Given that it sleeps for long while none runs."""
    harness.make(rows=2)
    rung()
    harness.controls.start("c1")
    assert "release" in rung()
    harness.controls.pause("c1")
    assert rung() == []
    harness.controls.resume("c1")
    assert "release" in rung()
    campaign = harness.catalog.get("c1")
    harness.feed(campaign)
    [run] = harness.runs()
    harness.admit(run)
    harness.settle(run, [1], "unknown")
    harness.settle(run, [2], "rejected")
    assert harness.report().status == "completed"
    rung()
    harness.reconciler.retry_failed(campaign)
    assert rung() == ["release"]
    assert harness.drain() == [2]
    rung()
    harness.reconciler.decide(campaign, UnknownDecision.RESEND)
    assert rung() == ["release"]


def test_the_pacer_is_rung_for_when_a_start_has_waited_for_the_parser(rung: Any, harness: LedgerHarness) -> None:
    harness.make()
    generation, _ = harness.catalog.accept_list(
        "c1", object_key="other.csv", size=20, filename="list.csv", email_column="email"
    )
    parsing = Parsing(harness.redis, "c1", generation)
    harness.controls.start("c1")
    rung()
    assert parsing.finish(scanned(b"email,name\na@shop.test,Ann\n")) == "running"
    assert rung() == ["release"]


class Ticks:
    """A pacer that has nothing to do for long, and counts how often it was asked."""

    def __init__(self, leader: bool) -> None:
        self.leader = leader
        self.ticked: SimpleQueue[int] = SimpleQueue()
        self.left = threading.Event()

    def tick(self) -> Tick:
        self.ticked.put(1)
        return Tick(leader=self.leader, idle=True, wait_ms=int(LONG_S * 1000))

    def find_claims(self) -> None:
        pass

    def leave(self) -> None:
        self.left.set()


@pytest.mark.parametrize("leader", [True, False])
def test_a_ring_wakes_the_pacer_and_so_does_the_end(fake_redis: Redis, doorbell: Doorbell, leader: bool) -> None:
    """Given one that releases, or one that may have to take over from one that has died while no campaign ran."""
    ticks = Ticks(leader)
    worker: Any = SimpleNamespace(worker_threads=1)
    release = Release(fake_redis, lambda _slots: ticks, "w1", threading.Event(), doorbell)  # type: ignore[arg-type,return-value]
    release.after_worker_boot(None, worker)  # type: ignore[arg-type]
    assert ticks.ticked.get(timeout=LONG_S)
    fake_redis.publish(keys.BELL, "release")
    assert ticks.ticked.get(timeout=LONG_S / 2)
    release.after_worker_shutdown(None, worker)  # type: ignore[arg-type]
    assert ticks.left.is_set()
