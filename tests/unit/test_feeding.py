"""The feeder while there is nothing to feed from."""

from __future__ import annotations

import threading

import pytest

from actors import feeding
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


@pytest.mark.parametrize(("ahead", "reads"), [(0, 5), (40_000, 3), (10**9, 1)])
def test_slices_are_read_a_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch, ahead: int, reads: int) -> None:
    """Given five slices of about 18 kB, then no request asks for more than it may, and the rows are the same."""
    monkeypatch.setattr(feeding, "AHEAD_BYTES", ahead)
    store = MemoryStore()
    store.objects["list.csv"] = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, 5001))
    campaign = world.make(rows=5000)
    world.controls.start("c1")
    assert len(world.ledger.index(campaign)) == 5
    Feeder(world.ledger, store, threading.Event()).feed(campaign)
    assert len(store.reads) == reads
    assert sorted(world.drain()) == list(range(1, 5001))


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
    world.ledger.stalled("c1", campaign.generation, UNREADABLE, 2000)
    assert (world.report().status, world.report().reason) == (Status.PAUSED, "401 no")
