"""The feeder while there is nothing to feed from."""

from __future__ import annotations

import threading

import pytest

from actors.feeding import GONE, UNREADABLE, Feeder
from campaigns.models import Status
from storage import MissingObject, StoreUnavailable
from tests.doubles.object_store import MemoryStore
from tests.world import World


def test_the_status_says_why_a_campaign_is_not_fed_until_it_is_again(world: World) -> None:
    """Given a running campaign whose object store is away, then the status says so; once it is back, it does not."""
    store = MemoryStore()
    store.objects["list.csv"] = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, 11))
    feeder = Feeder(world.ledger, store, threading.Event())
    world.make(rows=10)
    world.controls.start("c1")
    campaign = world.catalog.get("c1")

    store.away = True
    with pytest.raises(StoreUnavailable):
        feeder.feed(campaign)
    assert (world.report().status, world.report().reason) == (Status.RUNNING, UNREADABLE)

    store.away = False
    feeder.feed(campaign)
    assert world.report().reason is None
    assert sorted(world.drain()) == list(range(1, 11))


def test_a_list_that_is_gone_is_told_too(world: World) -> None:
    world.make(rows=10)
    world.controls.start("c1")
    with pytest.raises(MissingObject):
        Feeder(world.ledger, MemoryStore(), threading.Event()).feed(world.catalog.get("c1"))
    assert world.report().reason == GONE


def test_the_reason_of_a_paused_campaign_stays(world: World) -> None:
    """Given a campaign that the provider's refusal has paused, then that is what is told."""
    world.start(rows=10)
    (run,) = world.runs()
    world.admit(run)
    world.settle(run, [1], "refused", reason="401 no")
    campaign = world.catalog.get("c1")
    world.ledger.stalled("c1", campaign.generation, UNREADABLE)
    assert (world.report().status, world.report().reason) == (Status.PAUSED, "401 no")
