"""admit.lua and the suppression list: a suppressed row gets no email, whatever way it comes to admission."""

from __future__ import annotations

import threading

import pytest

from campaigns import keys
from campaigns.account_table import AccountTable
from campaigns.ledger import COMPLETED
from campaigns.models import Content, Status
from consent.records import Reason
from middleware.admission import Admission, Requeued
from tests.support.ledger_harness import PROVIDER, LedgerHarness, recipient
from tests.unit.test_admission import as_message


def suppress(harness: LedgerHarness, *rows: int, reason: Reason = Reason.UNSUBSCRIBED) -> None:
    harness.suppressions.add([f"r{row}@shop.test" for row in rows], reason)


def reasons(harness: LedgerHarness) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = harness.redis.hgetall(keys.of("c1", "reasons"))
    return found


def test_suppressed_rows_fail_and_the_others_are_sent(harness: LedgerHarness) -> None:
    """Given a dispatched batch, when two of its recipients unsubscribe, then only the others are granted."""
    harness.start(rows=10)
    (batch,) = harness.batches()
    suppress(harness, 2, 9)
    grant = harness.admit(batch)
    assert grant.verdict == "ok"
    assert grant.suppressed == {2, 9}
    assert grant.granted == set(range(1, 11)) - {2, 9}
    assert reasons(harness) == {b"2": b"suppressed", b"9": b"suppressed"}
    report = harness.report()
    assert (report.failed, report.in_flight, report.sent_last_minute) == (2, 8, 8)
    harness.settle(batch, sorted(grant.granted), "accepted")
    assert (harness.report().status, harness.report().done) == (Status.COMPLETED, 8)


def test_a_campaign_whose_last_rows_are_suppressed_completes(harness: LedgerHarness) -> None:
    harness.start(rows=3)
    (batch,) = harness.batches()
    suppress(harness, 1, 2, 3)
    assert harness.admit(batch).verdict == COMPLETED
    assert harness.report().status is Status.COMPLETED
    assert harness.redis.hlen(keys.of("c1", "batches")) == 0
    assert not harness.redis.sismember(keys.RUNNING, "c1")


def test_the_message_of_suppressed_rows_reaches_no_actor(harness: LedgerHarness) -> None:
    harness.start(rows=3)
    (batch,) = harness.batches()
    suppress(harness, 1, 2, 3)
    with pytest.raises(Requeued):
        Admission(harness.ledger, "w1", threading.Event()).before_process_message(None, as_message(batch))  # type: ignore[arg-type]


@pytest.mark.parametrize(("reason", "stopped"), [(Reason.UNSUBSCRIBED, set()), (Reason.BOUNCED, {2})])
def test_other_email_than_marketing_stops_for_bounces_alone(
    harness: LedgerHarness, reason: Reason, stopped: set[int]
) -> None:
    harness.make(rows=3)
    harness.catalog.put("c1", Content(from_="news@shop.test", subject="Hello", text="Hi", unsubscribe=False))
    harness.redis.hset(keys.campaign("c1"), "status", "ready")  # the list is the same
    assert harness.redis.hget(keys.campaign("c1"), "marketing") == b"0"
    suppress(harness, 2, reason=reason)
    harness.redis.hset(keys.campaign("c1"), "status", "running")
    harness.prove("c1")
    version = harness.catalog.get("c1").list_version
    harness.redis.hset(keys.of("c1", "batches"), "b1", "q|1|1,2,3")
    grant = harness.ledger.admit("c1", version, "b1", "w1", [recipient(row) for row in (1, 2, 3)], claim_id="x")
    assert grant.suppressed == stopped
    assert grant.granted == {1, 2, 3} - stopped


def test_rows_that_come_back_are_asked_about_again(harness: LedgerHarness) -> None:
    """Given rows that were requeued by a pause, when some unsubscribe, then these are not granted after it."""
    harness.start(rows=6)
    (batch,) = harness.batches()
    harness.controls.pause("c1")
    assert harness.admit(batch).denied == set(range(1, 7))
    suppress(harness, 3)
    harness.controls.resume("c1")
    assert sorted(harness.drain()) == [1, 2, 4, 5, 6]
    assert (harness.report().status, harness.report().failed) == (Status.COMPLETED, 1)


def test_a_row_held_for_its_domain_is_asked_about_again(harness: LedgerHarness) -> None:
    limited = LedgerHarness(harness.redis, accounts=AccountTable.single(PROVIDER, domains={"shop.test": 2}))
    limited.start(rows=4)
    limited.dispatch()
    suppress(limited, 1, 2, 3, 4)
    for batch in limited.take():
        assert not limited.admit(batch).granted


def test_an_answer_that_was_lost_grants_nothing_to_who_unsubscribed_since(harness: LedgerHarness) -> None:
    """Given a grant whose reply was lost, when a recipient unsubscribes before the repeated call, then it fails."""
    harness.start(rows=3)
    (batch,) = harness.batches()
    ask = ("c1", batch.list_version, batch.batch_id, "w1", batch.recipients)
    assert harness.ledger.admit(*ask, claim_id="x").granted == {1, 2, 3}
    suppress(harness, 2)
    again = harness.ledger.admit(*ask, claim_id="x")
    assert again.granted == {1, 3}
    assert again.suppressed == {2}
    assert (harness.report().in_flight, harness.report().failed) == (2, 1)


def test_without_entries_admission_asks_once_and_hashes_nothing(harness: LedgerHarness) -> None:
    harness.start(rows=3)
    (batch,) = harness.batches()
    assert harness.admit(batch).granted == {1, 2, 3}
    assert harness.redis.keys("postrider:suppressions*") == []


def test_a_row_that_waits_for_a_retry_is_asked_about_again(harness: LedgerHarness) -> None:
    """Given a row whose first attempt failed, when its recipient unsubscribes, then the retry is not granted."""
    harness.start(rows=1)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "unavailable")
    harness.ledger.touch_batch("c1", batch.batch_id, 1000, [1])
    suppress(harness, 1)
    assert harness.admit(batch).verdict == COMPLETED
    assert harness.report().failed == 1


def test_a_row_that_a_batch_carries_twice_is_counted_once(harness: LedgerHarness) -> None:
    """Given two copies of a message that were both requeued, so that one batch carries their rows twice."""
    harness.start(rows=4)
    (batch,) = harness.batches()
    batch.recipients *= 2
    suppress(harness, 2)
    grant = harness.admit(batch)
    assert grant.suppressed == {2}
    assert grant.granted == {1, 3, 4}
    report = harness.report()
    assert (report.failed, report.in_flight, report.sent_last_minute) == (1, 3, 3)
    harness.settle(batch, [1, 3, 4], "accepted")
    assert (harness.report().status, harness.report().pending) == (Status.COMPLETED, 0)
