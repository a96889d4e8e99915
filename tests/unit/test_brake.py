"""The brake: bounces and complaints beyond a campaign's limits pause it, in the step that records the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from campaigns import keys
from campaigns.errors import BrakeHolds
from campaigns.event_kinds import Event, EventKind
from campaigns.events import ProviderEvents
from campaigns.history import History
from campaigns.models import Brake, Content, Status
from tests.support.ledger_harness import LedgerHarness

DELIVERED, BOUNCED, COMPLAINED = EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED


def sent(harness: LedgerHarness, rows: int, of: int = 1000, **options: Any) -> None:
    """A running campaign of which so many rows are done."""
    harness.start(rows=of, **options)
    send(harness, rows)


def send(harness: LedgerHarness, rows: int) -> None:
    """Send so many more rows."""
    end = harness.report().done + rows
    while harness.report().done < end:
        for batch in harness.batches():
            granted = sorted(harness.admit(batch).granted)[: end - harness.report().done]
            harness.settle(batch, granted, "accepted")


def tell(harness: LedgerHarness, kind: EventKind, rows: Sequence[int], campaign_id: str = "c1") -> dict[str, str]:
    """Report an event of these rows; returns the figures of the campaigns that the brake has paused."""
    found = ProviderEvents(harness.redis).apply(Event(campaign_id, row, kind) for row in rows)
    return dict(found.braked)


def history(harness: LedgerHarness) -> list[tuple[str, str | None]]:
    """The campaign's history, the newest entry first: event and reason."""
    return [(entry.event, entry.reason) for entry in History(harness.redis).page("c1", 0, 10).entries]


def test_bounces_beyond_the_limit_pause_the_campaign_with_the_figures(harness: LedgerHarness) -> None:
    """Given 200 sent emails of which 113 are delivered, when the bounces pass 5 % of those that are reported, then the
    campaign is paused with the figures, and nothing more is admitted.
    """
    sent(harness, 200)
    assert tell(harness, DELIVERED, range(1, 114)) == {}
    assert tell(harness, BOUNCED, range(114, 119)) == {}
    assert harness.report().status is Status.RUNNING
    assert tell(harness, BOUNCED, [119, 120]) == {"c1": "7 of 120 bounced (5.8 %), the limit is 5 %"}
    report = harness.report()
    assert (report.status, report.reason) == (Status.PAUSED, "brake: 7 of 120 bounced (5.8 %), the limit is 5 %")
    assert not harness.redis.sismember(keys.RUNNING, "c1")
    assert harness.batches() == []
    assert history(harness)[0] == ("paused", report.reason)


@pytest.mark.parametrize(
    ("delivered", "bounced", "figures"),
    [
        (95, 5, None),  # the limit itself
        (94, 6, "6 of 100 bounced (6.0 %)"),
        (60, 30, "30 of 200 bounced (15.0 %)"),  # too few are reported: of all that are sent
        (80, 9, None),
        (0, 11, "11 of 200 bounced (5.5 %)"),  # the provider reports no deliveries
        (0, 10, None),
        (150, 50, "50 of 200 bounced (25.0 %)"),
    ],
)
def test_the_percentage_is_of_the_reported_emails_or_of_all_sent_ones(
    harness: LedgerHarness, delivered: int, bounced: int, figures: str | None
) -> None:
    sent(harness, 200)
    events = [Event("c1", row, BOUNCED if row <= bounced else DELIVERED) for row in range(1, bounced + delivered + 1)]
    found = ProviderEvents(harness.redis).apply(events).braked
    assert found == ({"c1": f"{figures}, the limit is 5 %"} if figures else {})


def test_a_delivery_that_completes_the_number_of_reports_lets_the_brake_act(harness: LedgerHarness) -> None:
    sent(harness, 500)
    assert tell(harness, BOUNCED, range(1, 11)) == {}
    assert tell(harness, DELIVERED, range(11, 100)) == {}
    assert tell(harness, DELIVERED, [100]) == {"c1": "10 of 100 bounced (10.0 %), the limit is 5 %"}


@pytest.mark.parametrize(("count", "figures"), [(3, ""), (4, "4 of 1000 complained (0.40 %), the limit is 0.3 %")])
def test_complaints_have_a_limit_of_their_own(harness: LedgerHarness, count: int, figures: str) -> None:
    sent(harness, 1000, of=2000)
    tell(harness, DELIVERED, range(1, 1001))
    assert tell(harness, COMPLAINED, range(1, count + 1)).get("c1", "") == figures


def test_recipients_count_and_not_events_whatever_the_order(harness: LedgerHarness) -> None:
    """Given 100 reported emails with 5 bounces, when the bounces are repeated, also before other events of their row,
    then nothing happens.
    """
    sent(harness, 200)
    for _ in range(3):
        assert tell(harness, BOUNCED, [1, 2, 3, 4, 5] * 20) == {}
        assert tell(harness, DELIVERED, [*range(100, 5, -1), 1, 2]) == {}
    assert tell(harness, BOUNCED, [6]) == {"c1": "6 of 103 bounced (5.8 %), the limit is 5 %"}


@pytest.mark.parametrize(
    ("brake", "acts"),
    [
        (None, False),
        (Brake(bounce_pct=None), False),
        (Brake(after=201), False),
        (Brake(bounce_pct=50), False),
        (Brake(bounce_pct=12.5, after=1), True),
    ],
)
def test_the_limits_are_the_campaigns(harness: LedgerHarness, brake: Brake | None, acts: bool) -> None:
    sent(harness, 200, brake=brake)
    tell(harness, DELIVERED, range(31, 201))
    assert bool(tell(harness, BOUNCED, range(1, 31))) is acts


def test_a_campaign_of_an_earlier_version_has_the_default_limits(harness: LedgerHarness) -> None:
    sent(harness, 200)
    harness.redis.hdel(keys.campaign("c1"), "brake_bounce_pct", "brake_complaint_pct", "brake_after")
    assert tell(harness, BOUNCED, range(1, 12)) == {"c1": "11 of 200 bounced (5.5 %), the limit is 5 %"}


def test_each_campaign_of_a_batch_has_its_own_brake(harness: LedgerHarness) -> None:
    harness.start("c3", rows=200)
    harness.drain("c3")
    for name in ("c1", "c2"):
        harness.start(name, rows=200)
    while harness.report("c1").done < 150 or harness.report("c2").done < 150:
        for batch in harness.batches():
            rows = [row for row in harness.admit(batch).granted if row <= 150]
            harness.settle(batch, rows, "accepted")
    events = [
        Event(name, row, BOUNCED) for row in range(1, 51) for name in ("c1", "c2", "c3") if row < 3 or name > "c1"
    ]
    assert set(ProviderEvents(harness.redis).apply(events).braked) == {"c2"}
    states = [harness.report(name).status for name in ("c1", "c2", "c3")]
    assert states == [Status.RUNNING, Status.PAUSED, Status.COMPLETED]


def test_the_brake_holds_a_campaign_that_a_person_has_paused(harness: LedgerHarness) -> None:
    """Given a pause, when the events of what was on its way pass the limit, then resuming asks for acceptance."""
    sent(harness, 200)
    harness.controls.pause("c1")
    assert tell(harness, BOUNCED, range(1, 21))
    assert harness.report().reason == "brake: 20 of 200 bounced (10.0 %), the limit is 5 %"
    with pytest.raises(BrakeHolds):
        harness.controls.resume("c1")
    assert history(harness)[:2] == [("brake_holds", "20 of 200 bounced (10.0 %), the limit is 5 %"), ("paused", None)]


@pytest.mark.parametrize("step", ["cancel", "complete"])
def test_the_brake_has_nothing_to_do_with_a_campaign_that_has_ended(harness: LedgerHarness, step: str) -> None:
    if step == "complete":
        sent(harness, 200, of=200)
    else:
        sent(harness, 200)
        harness.controls.cancel("c1")
    assert tell(harness, BOUNCED, range(1, 101)) == {}
    assert harness.report().status is (Status.COMPLETED if step == "complete" else Status.CANCELLED)


def test_events_that_complete_the_campaign_complete_it(harness: LedgerHarness) -> None:
    """Given a campaign whose last rows are unknown to be resent, when bounces settle all of them, then it is over."""
    sent(harness, 150, of=200, brake=Brake(bounce_pct=1))
    rows = [int(row) for row in harness.redis.hkeys(keys.of("c1", "in_flight"))]
    assert len(rows) == 50
    assert tell(harness, BOUNCED, rows) == {}
    assert harness.report().status is Status.COMPLETED


def test_resuming_asks_for_acceptance_and_then_counts_only_what_is_sent_afterwards(harness: LedgerHarness) -> None:
    """Given 300 sent emails and a brake that has acted, when a person resumes, then the late bounces of those emails
    change nothing, and bounces of later ones are counted anew.
    """
    sent(harness, 300)
    tell(harness, DELIVERED, range(1, 101))
    assert tell(harness, BOUNCED, range(101, 121)) == {"c1": "20 of 120 bounced (16.7 %), the limit is 5 %"}
    with pytest.raises(BrakeHolds, match=r"20 of 120 bounced.*accept_brake"):
        harness.controls.resume("c1")
    assert harness.report().status is Status.PAUSED
    # When
    assert harness.controls.resume("c1", accept_brake=True) is Status.RUNNING
    assert harness.controls.resume("c1") is Status.RUNNING
    assert harness.report().reason is None
    assert [event for event, _reason in history(harness)[:3]] == ["resumed", "brake_accepted", "paused"]
    # Then
    assert tell(harness, BOUNCED, range(101, 301)) == {}
    in_flight = {int(row) for row in harness.redis.hkeys(keys.of("c1", "in_flight"))}
    assert tell(harness, BOUNCED, sorted(in_flight)) == {}
    send(harness, 200)
    later = [
        row for row in range(301, 1001) if row not in in_flight and harness.redis.getbit(keys.of("c1", "done"), row)
    ]
    assert tell(harness, DELIVERED, later[6:100]) == {}
    assert tell(harness, BOUNCED, later[:6]) == {"c1": "6 of 100 bounced (6.0 %), the limit is 5 %"}
    assert harness.controls.resume("c1", accept_brake=True) is Status.RUNNING
    assert tell(harness, BOUNCED, later[:100]) == {}


def test_accepting_in_advance_accepts_nothing(harness: LedgerHarness) -> None:
    sent(harness, 200)
    harness.controls.pause("c1")
    harness.controls.resume("c1", accept_brake=True)
    assert tell(harness, BOUNCED, range(1, 21))


def test_a_campaign_that_completes_while_it_is_held_is_free_when_it_is_reopened(harness: LedgerHarness) -> None:
    sent(harness, 150, of=200)
    assert tell(harness, BOUNCED, range(1, 31))
    rows = [int(row) for row in harness.redis.hkeys(keys.of("c1", "in_flight"))]
    tell(harness, DELIVERED, rows)
    assert harness.report().status is Status.COMPLETED
    assert harness.redis.hget(keys.campaign("c1"), "braked") is None


def test_a_deleted_campaign_leaves_nothing_behind(harness: LedgerHarness) -> None:
    sent(harness, 200, of=200, brake=Brake(after=1))
    harness.redis.hset(keys.campaign("c1"), mapping={"status": "paused", "braked": "x"})
    harness.controls.resume("c1", accept_brake=True)
    harness.controls.pause("c1")
    assert harness.redis.exists(keys.of("c1", "before_brake"))
    harness.catalog.delete("c1")
    assert not harness.redis.keys("*c1*")


def test_the_stored_content_of_older_campaigns_has_the_default_limits() -> None:
    content = Content("a@b.test", "x", text="x")
    assert content.limits_of_brake == Brake(bounce_pct=5, complaint_pct=0.3, after=100)
