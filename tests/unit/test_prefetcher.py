"""The prefetcher while it cannot read the list, and with a list that has changed since it was parsed."""

from __future__ import annotations

import threading

import pytest

from campaigns import keys
from campaigns.models import Status, UnknownDecision
from storage import MissingObject, ShortObject, StoreUnavailable
from tests.support.doubles.object_store import MemoryStore
from tests.support.ledger_harness import LedgerHarness
from worker import prefetcher as prefetching
from worker.prefetcher import GONE, SHORTER, UNREADABLE, Prefetcher


def test_the_status_says_why_nothing_is_prefetched_until_it_is_again(harness: LedgerHarness) -> None:
    """Given a running campaign whose object store is away, then the status says so; once the store is back, it does
    not.
    """
    store = MemoryStore()
    store.objects["list.csv"] = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, 11))
    prefetcher = Prefetcher(harness.ledger, store, threading.Event())
    harness.make(rows=10)
    harness.controls.start("c1")
    campaign = harness.catalog.get("c1")

    store.away = True
    with pytest.raises(StoreUnavailable):
        prefetcher.prefetch(campaign)
    assert (harness.report().status, harness.report().reason) == (Status.RUNNING, UNREADABLE)

    store.away = False
    prefetcher.prefetch(campaign)
    assert harness.report().reason is None
    assert sorted(harness.drain()) == list(range(1, 11))


@pytest.mark.parametrize(("ahead", "reads"), [(0, 5), (40_000, 3), (10**9, 1)])
def test_slices_are_read_a_few_at_a_time(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch, ahead: int, reads: int
) -> None:
    """Given five slices of about 18 kB, then no request asks for more bytes than allowed, and the rows are the same."""
    monkeypatch.setattr(prefetching, "AHEAD_BYTES", ahead)
    store = MemoryStore()
    store.objects["list.csv"] = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, 5001))
    campaign = harness.make(rows=5000)
    harness.controls.start("c1")
    assert len(harness.ledger.index(campaign)) == 5
    Prefetcher(harness.ledger, store, threading.Event()).prefetch(campaign)
    assert len(store.reads) == reads
    assert sorted(harness.drain()) == list(range(1, 5001))


def test_a_list_that_is_gone_is_reported(harness: LedgerHarness) -> None:
    harness.make(rows=10)
    harness.controls.start("c1")
    with pytest.raises(MissingObject):
        Prefetcher(harness.ledger, MemoryStore(), threading.Event()).prefetch(harness.catalog.get("c1"))
    assert harness.report().reason == GONE


def test_the_reason_of_a_paused_campaign_stays(harness: LedgerHarness) -> None:
    """Given a campaign that the provider's refusal has paused, when its list cannot be read, then the refusal stays the
    reason.
    """
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "refused", reason="401 no")
    campaign = harness.catalog.get("c1")
    harness.ledger.stalled("c1", campaign.list_version, UNREADABLE, 2000)
    assert (harness.report().status, harness.report().reason) == (Status.PAUSED, "401 no")


def stored(*addresses: str) -> MemoryStore:
    """A store with a list of these addresses, as long as that of ten that `LedgerHarness.make` parses."""
    store = MemoryStore()
    store.objects["list.csv"] = b"email\n" + b"".join(b"%s\n" % address.encode() for address in addresses)
    return store


def ten(*, without: tuple[int, ...] = ()) -> MemoryStore:
    """Ten addresses, of which those of the rows in `without` are no longer valid."""
    return stored(*(f"r{row}%shop.test" if row in without else f"r{row}@shop.test" for row in range(1, 11)))


def test_a_row_that_is_no_longer_valid_fails_and_prefetching_continues(harness: LedgerHarness) -> None:
    """Given rows that the scan accepted and whose addresses are no longer valid, then they fail with the reason, the
    others are sent, and the campaign completes.
    """
    harness.make(rows=10)
    harness.controls.start("c1")
    Prefetcher(harness.ledger, ten(without=(3, 10)), threading.Event()).prefetch(harness.catalog.get("c1"))
    assert (harness.report().failed, harness.report().status) == (2, Status.RUNNING)
    assert "no usable address" in harness.ledger.reasons("c1", [3])[3]
    assert sorted(harness.drain()) == [1, 2, 4, 5, 6, 7, 8, 9]
    assert (harness.report().done, harness.report().failed, harness.report().status) == (8, 2, Status.COMPLETED)


def test_a_list_without_any_valid_row_left_completes(harness: LedgerHarness) -> None:
    harness.make(rows=10)
    harness.controls.start("c1")
    Prefetcher(harness.ledger, ten(without=tuple(range(1, 11))), threading.Event()).prefetch(harness.catalog.get("c1"))
    assert (harness.report().failed, harness.report().status) == (10, Status.COMPLETED)


def test_rows_that_are_missing_from_the_list_fail(harness: LedgerHarness) -> None:
    """Given an object of the same length with fewer rows, then the missing rows fail."""
    harness.make(rows=10)
    harness.controls.start("c1")
    whole = ten().objects["list.csv"]
    store = stored("r1@shop.test")
    store.objects["list.csv"] += b"x" * (len(whole) - len(store.objects["list.csv"]))
    Prefetcher(harness.ledger, store, threading.Event()).prefetch(harness.catalog.get("c1"))
    assert harness.report().failed == 9
    assert harness.drain() == [1]
    assert harness.report().status == Status.COMPLETED


@pytest.mark.parametrize("way", ["lost", "retried", "resent"])
def test_refeeding_a_row_that_is_no_longer_valid_does_not_loop(harness: LedgerHarness, way: str) -> None:
    """Given rows to refeed, one of which has no valid address any more, then prefetching ends, that row fails and the
    others are sent.
    """
    harness.start(rows=10)
    [batch] = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1, 2, 3, 4], "accepted")
    harness.settle(batch, [5, 6, 7, 8, 9, 10], "unknown" if way == "resent" else "rejected", reason="no")
    campaign = harness.catalog.get("c1")
    if way == "resent":
        harness.reconciler.decide(campaign, UnknownDecision.RESEND)
    else:
        harness.reconciler.retry_failed(campaign)
    harness.ledger.close_batch("c1", batch.batch_id)
    if way == "lost":
        harness.prefetch(campaign)
        harness.redis.delete(keys.of("c1", "ready"))
        assert harness.reconciler.reconcile(harness.catalog.get("c1")).repaired == {"lost": 6}
    prefetcher = threading.Thread(
        target=Prefetcher(harness.ledger, ten(without=(6,)), threading.Event()).prefetch,
        args=(harness.catalog.get("c1"),),
        daemon=True,
    )
    prefetcher.start()
    prefetcher.join(60)
    assert not prefetcher.is_alive()
    assert "no usable address" in harness.ledger.reasons("c1", [6])[6]
    assert sorted(harness.drain()) == [5, 7, 8, 9, 10]
    assert (harness.report().done, harness.report().failed, harness.report().status) == (9, 1, Status.COMPLETED)


def test_a_row_with_an_end_keeps_it(harness: LedgerHarness) -> None:
    """Given rows to refeed that have got their end meanwhile, when they yield no recipient, then their end stays."""
    harness.start(rows=2)
    [batch] = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unknown")
    harness.redis.setbit(keys.of("c1", "refeed"), 1, 1)
    harness.redis.setbit(keys.of("c1", "refeed"), 2, 1)
    harness.redis.hset(keys.campaign("c1"), "status", "running")
    harness.ledger.refeed("c1", batch.list_version, [], unreadable=[1, 2])
    assert (harness.report().done, harness.report().failed, harness.report().unknown) == (1, 0, 1)


def test_a_list_that_has_become_shorter_is_reported(harness: LedgerHarness) -> None:
    """Given an object that ends before the list does, then no row fails, and the status says what to do."""
    harness.make(rows=10)
    harness.controls.start("c1")
    with pytest.raises(ShortObject):
        Prefetcher(harness.ledger, stored("r1@shop.test"), threading.Event()).prefetch(harness.catalog.get("c1"))
    assert (harness.report().reason, harness.report().failed) == (SHORTER, 0)


@pytest.mark.parametrize(("merged", "batch_rows"), [(1, 0), (2, 8), (64, 256), (100, 256), (1000, 1000)])
def test_a_batch_has_several_merged_requests(harness: LedgerHarness, merged: int, batch_rows: int) -> None:
    store = MemoryStore()
    store.objects["list.csv"] = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, 11))
    harness.make(rows=10)
    harness.controls.start("c1")
    Prefetcher(harness.ledger, store, threading.Event(), merged).prefetch(harness.catalog.get("c1"))
    assert int(harness.redis.hget(keys.of("c1", "progress"), "batch_rows")) == batch_rows
