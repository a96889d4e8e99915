"""Scheduled starts, sending windows and canaries, at a time that the test sets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns import keys
from campaigns.errors import WrongState
from campaigns.history import History
from campaigns.models import Content, Status
from tests.support.ledger_harness import Clock, LedgerHarness

#: The clock begins on Friday, 15 January 2027, at 08:00 UTC.
HOUR = 3_600_000


def at(clock: Clock, milliseconds: int) -> str:
    """RFC 3339, this many milliseconds ahead."""
    return datetime.fromtimestamp((clock.now_ms + milliseconds) / 1000, UTC).isoformat()


def content(**more: Any) -> Content:
    return Content(from_="news@shop.test", subject="Hello", text="Hi", tpm=10_000_000, **more)


def events(harness: LedgerHarness) -> list[tuple[str, str]]:
    page = History(harness.redis).page("c1", 0, 100)
    return [(entry.event, entry.by) for entry in reversed(page.entries)]


# A start at a time


def test_a_scheduled_campaign_starts_at_its_time_and_not_before(harness: LedgerHarness, clock: Clock) -> None:
    # Given a campaign that is to begin in an hour, and that is started
    harness.make(start_at=at(clock, HOUR))
    assert harness.controls.start("c1") == Status.SCHEDULED
    assert harness.controls.start("c1") == Status.SCHEDULED
    report = harness.report()
    assert (report.status, report.start_at, report.started_at, report.eta_s) == (
        "scheduled", at(clock, HOUR).replace("+00:00", ".000+00:00"), None, None,
    )  # fmt: skip
    # When its time is nearly there
    clock.advance(HOUR - 1)
    result = harness.dispatch()
    # Then it waits, and the next round comes when it is due
    assert harness.report().status == "scheduled"
    assert result.wait_ms == 1
    # When its time has come, and another worker dispatches
    clock.advance(1)
    harness.redis.delete(keys.DISPATCHER_LEASE)
    assert harness.dispatch("w2").prefetch == ["c1"]
    # Then it runs, and sends everything
    assert harness.report().status == "running"
    assert events(harness)[-2:] == [("scheduled", "system"), ("started", "system")]
    harness.dispatch("w2")
    harness.redis.delete(keys.DISPATCHER_LEASE)
    assert len(harness.drain()) == 10
    assert harness.redis.zcard(keys.SCHEDULE) == 0


def test_a_time_that_is_past_starts_at_once(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(start_at=at(clock, -HOUR))
    assert harness.controls.start("c1") == Status.RUNNING


def test_the_time_is_changed_or_removed_until_it_has_begun(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(start_at=at(clock, HOUR))
    harness.controls.start("c1")
    # When the time is moved
    harness.catalog.put("c1", content(start_at=at(clock, 2 * HOUR)))
    clock.advance(HOUR)
    harness.dispatch()
    # Then the earlier time starts nothing
    assert harness.report().status == "scheduled"
    # When it is removed, nothing starts by surprise
    harness.catalog.put("c1", content())
    assert harness.report().status == "ready"
    clock.advance(2 * HOUR)
    harness.dispatch()
    assert harness.report().status == "ready"
    # And after the start, nothing can be changed
    harness.controls.start("c1")
    with pytest.raises(WrongState):
        harness.catalog.put("c1", content(start_at=at(clock, HOUR)))


def test_a_scheduled_campaign_is_paused_resumed_and_cancelled(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(start_at=at(clock, HOUR))
    harness.controls.start("c1")
    assert harness.controls.pause("c1") == 0
    clock.advance(HOUR // 2)
    assert harness.controls.resume("c1") == Status.SCHEDULED
    assert harness.controls.resume("c1") == Status.SCHEDULED
    harness.controls.pause("c1")
    clock.advance(HOUR)
    harness.dispatch()
    assert harness.report().status == "paused"
    # Resumed after its time, it begins at once
    assert harness.controls.resume("c1") == Status.RUNNING
    harness.controls.cancel("c1")
    # And a scheduled one that is cancelled never starts
    harness.make("c2", start_at=at(clock, HOUR))
    harness.controls.start("c2")
    harness.controls.cancel("c2")
    clock.advance(2 * HOUR)
    harness.dispatch()
    assert harness.report("c2").status == "cancelled"


def test_what_a_start_lacks_at_its_time_keeps_it_from_starting(harness: LedgerHarness, clock: Clock) -> None:
    # Given a scheduled campaign, whose content then gets a warning that a person must accept
    harness.make(start_at=at(clock, HOUR))
    harness.controls.start("c1")
    harness.catalog.put("c1", content(start_at=at(clock, HOUR), weight=2), unaccepted=["foreign_tag"])
    # When its time comes
    clock.advance(HOUR)
    harness.dispatch()
    # Then it does not start, and says why
    report = harness.report()
    assert (report.status, report.reason) == ("ready", "accept the warnings to start: foreign_tag")
    assert events(harness)[-1] == ("start_failed", "system")


def test_warnings_can_be_accepted_while_it_is_scheduled(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(start_at=at(clock, HOUR))
    harness.controls.start("c1")
    harness.catalog.put("c1", content(start_at=at(clock, HOUR), weight=2), unaccepted=["foreign_tag"])
    assert harness.controls.start("c1", accept_warnings=True) == Status.SCHEDULED
    clock.advance(HOUR)
    harness.dispatch()
    assert harness.report().status == "running"


def test_a_new_list_ends_the_plan(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(start_at=at(clock, HOUR))
    harness.controls.start("c1")
    harness.catalog.accept_list("c1", object_key="other.csv", size=9, filename="other.csv")
    assert harness.report().status == "parsing"
    clock.advance(HOUR)
    harness.dispatch()
    assert harness.report().status == "parsing"
    assert not harness.catalog.get("c1").start_when_ready


def test_an_entry_of_the_schedule_alone_starts_nothing(harness: LedgerHarness, clock: Clock) -> None:
    # Given entries that are due, of a campaign whose time is ahead, of a ready one, and of none
    harness.make(start_at=at(clock, HOUR))
    harness.controls.start("c1")
    harness.make("c2")
    harness.redis.zadd(keys.SCHEDULE, {"c1": 1, "c2": 1, "none": 1})
    harness.dispatch()
    # Then nothing starts, and the entry of the first is right again
    assert (harness.report("c1").status, harness.report("c2").status) == ("scheduled", "ready")
    assert harness.redis.zrange(keys.SCHEDULE, 0, -1, withscores=True) == [(b"c1", clock.now_ms + HOUR)]


# Sending windows


def test_nothing_is_admitted_outside_the_windows(harness: LedgerHarness, clock: Clock) -> None:
    # Given a campaign that may send on weekdays from 09:00 to 10:00 UTC, started at 08:00, with a batch on the queue
    harness.make(windows=("Mon-Fri 09:00-10:00",), timezone="UTC")
    harness.controls.start("c1")
    renew(harness)
    harness.prefetch(harness.catalog.get("c1"))
    # When the dispatcher runs before nine
    assert harness.batches() == []
    report = harness.report()
    assert (report.window_opens_at, report.reason) == ("2027-01-15T09:00:00.000+00:00", "outside the sending windows")
    assert report.eta_s == 3600
    # Then it dispatches from nine on
    clock.advance(HOUR)
    (batch,) = harness.batches()
    assert harness.report().window_opens_at is None
    assert harness.report().reason is None
    # But what is on the queue is not admitted after ten
    clock.advance(HOUR)
    grant = harness.admit(batch)
    assert (grant.verdict, len(grant.denied)) == ("closed", 10)
    assert harness.report().window_opens_at == "2027-01-18T09:00:00.000+00:00"
    # And on Monday all of it is sent
    clock.advance(71 * HOUR)
    harness.redis.delete(keys.DISPATCHER_LEASE)
    assert len(harness.drain()) == 10
    assert harness.report().status == "completed"


def renew(harness: LedgerHarness) -> None:
    """As the dispatcher's thread does after a round."""
    dispatcher = harness.dispatcher()
    result = dispatcher.dispatch()
    for campaign_id in result.windows:
        dispatcher.renew_windows(campaign_id, result.now_ms)


def test_windows_that_no_one_renews_are_closed(harness: LedgerHarness, clock: Clock) -> None:
    # Given a campaign that may always send, whose intervals were computed for two weeks
    harness.make(windows=("00:00-24:00",), timezone="UTC")
    harness.controls.start("c1")
    renew(harness)
    harness.prefetch(harness.catalog.get("c1"))
    # When no one renews them for a month
    clock.advance(30 * 24 * HOUR)
    result = harness.dispatch()
    # Then nothing is dispatched, the status says why, and the round asks for new ones
    assert (harness.take(), result.windows) == ([], ["c1"])
    assert harness.report().reason == "outside the sending windows"
    renew(harness)
    assert len(harness.drain()) == 10


def test_windows_are_renewed_long_before_they_end(harness: LedgerHarness, clock: Clock) -> None:
    harness.make(windows=("Mon-Fri 09:00-10:00",), timezone="Europe/Oslo")
    harness.controls.start("c1")
    renew(harness)
    assert not harness.dispatch().windows
    clock.advance(8 * 24 * HOUR)
    assert harness.dispatch().windows == ["c1"]
    # And intervals of other windows are not stored
    assert harness.dispatcher()._scripts(
        "renew_windows", keys.named("c1", "campaign"), windows="other", open_windows="0;"
    ) == 0  # fmt: skip


# A canary


def drive(harness: LedgerHarness, outcomes: dict[int, str], rounds: int = 20) -> int:
    """Send with these outcomes by row, `accepted` by default. Returns the number of rows granted."""
    granted = 0
    for _ in range(rounds):
        for batch in harness.batches():
            rows = sorted(harness.admit(batch).granted)
            granted += len(rows)
            for row in rows:
                harness.settle(batch, [row], outcomes.get(row, "accepted"), reason="x")
            harness.ledger.close_batch(batch.campaign_id, batch.batch_id)
    return granted


def test_a_canary_admits_exactly_its_number_and_pauses_once(harness: LedgerHarness) -> None:
    # Given a campaign of 500 that pauses after 37
    harness.start(rows=500, pause_after=37)
    # When all that can be sent is sent
    assert drive(harness, {}) == 37
    # Then it has paused itself
    report = harness.report()
    assert (report.status, report.reason, report.done) == ("paused", "canary", 37)
    assert events(harness)[-1] == ("paused", "system")
    # And a resume sends the rest, without another pause
    harness.controls.resume("c1")
    assert len(harness.drain()) == 463
    assert harness.report().status == "completed"


def test_rows_in_flight_and_of_unknown_outcome_count(harness: LedgerHarness) -> None:
    harness.start(rows=200, pause_after=10)
    first = harness.batches()[0]
    assert len(harness.admit(first).granted) == 10
    # Nothing more is admitted while these ten are in flight
    assert all(not harness.admit(batch).granted for _ in range(3) for batch in harness.batches())
    rows = first.rows[:10]
    harness.settle(first, rows[:8], "accepted")
    assert harness.report().status == "running"
    harness.settle(first, rows[8:], "unknown", reason="no answer")
    assert (harness.report().status, harness.report().done, harness.report().unknown) == ("paused", 8, 2)


def test_admission_stops_at_the_canary_whatever_is_on_the_queue(harness: LedgerHarness, clock: Clock) -> None:
    # Given two rounds of batches on the queue, of 37 emails each, before any is admitted
    harness.start(rows=500, pause_after=37)
    harness.prove("c1")
    batches = harness.batches()
    clock.advance(1000)
    batches += harness.batches()
    assert sum(len(batch.rows) for batch in batches) > 37
    # When all of them ask for admission
    grants = [harness.admit(batch) for batch in batches]
    # Then 37 are granted
    assert sum(len(grant.granted) for grant in grants) == 37


def test_a_row_of_unknown_outcome_takes_a_place(harness: LedgerHarness) -> None:
    # Given a canary of 10, of which 5 were accepted, 2 are unknown and 3 were not tried
    harness.start(rows=200, pause_after=10)
    first = harness.batches()[0]
    rows = sorted(harness.admit(first).granted)
    harness.settle(first, rows[:5], "accepted")
    harness.settle(first, rows[5:7], "unknown", reason="no answer")
    harness.settle(first, rows[7:], "not_tried")
    # When the rest asks for admission
    granted = [row for _ in range(3) for batch in harness.batches() for row in harness.admit(batch).granted]
    # Then three more are admitted, and no other
    assert len(granted) == 3


def test_others_take_the_place_of_rows_that_fail_until_as_many_have_failed(harness: LedgerHarness) -> None:
    harness.start(rows=200, pause_after=10)
    drive(harness, dict.fromkeys(range(1, 6), "rejected"))
    report = harness.report()
    assert (report.status, report.done, report.failed) == ("paused", 10, 5)
    # A campaign whose rows all fail does not fail its whole list
    harness.start("c2", rows=200, pause_after=10)
    drive(harness, dict.fromkeys(range(1, 201), "rejected"))
    report = harness.report("c2")
    assert (report.status, report.reason, report.failed) == ("paused", "canary", 10)


def test_a_list_that_ends_before_the_canary_completes(harness: LedgerHarness) -> None:
    harness.start(rows=10, pause_after=10)
    drive(harness, {})
    assert harness.report().status == "completed"


def test_a_campaign_that_an_earlier_version_started_has_no_windows_and_no_canary(harness: LedgerHarness) -> None:
    # Given a campaign under way whose hash has none of the fields of this version
    harness.start("c1", rows=5)
    campaign = keys.campaign("c1")
    later = ("open_windows", "pause_after", "canary_over", "account", "proven", "content_version", "marketing")
    harness.redis.hdel(campaign, *later)
    # Then it is dispatched and admitted
    harness.dispatch()
    [batch] = harness.take()
    assert harness.admit(batch).granted
