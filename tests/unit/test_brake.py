"""The brake: bounces and complaints beyond a campaign's limits pause it, in the step that records the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from campaigns import keys
from campaigns.errors import BrakeHolds
from campaigns.event_kinds import Event, EventKind
from campaigns.events import AccountBrake, ProviderEvents
from campaigns.history import History
from campaigns.models import Brake, Content, Status
from tests.support.ledger_harness import Clock, LedgerHarness

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


# The brake of an account

ACCOUNT = AccountBrake(bounce_pct=5, complaint_pct=0.3, after=100, hours=24)


def report_all(harness: LedgerHarness, events: Sequence[Event], limits: AccountBrake | None = ACCOUNT) -> list[str]:
    """Report events to a server with an account's brake; returns the account's figures where it acts."""
    return list(ProviderEvents(harness.redis, limits).apply(events).braked_accounts)


def mailed(harness: LedgerHarness, *names: str, sent: int = 80) -> None:
    """Running campaigns without a brake of their own; the first of them have sent so many emails."""
    for name in names:
        harness.start(name, rows=100, brake=None)
    while min(harness.report(name).done for name in names) < sent:
        for batch in harness.batches():
            harness.settle(batch, [row for row in sorted(harness.admit(batch).granted) if row <= sent], "accepted")


def of(name: str, kind: EventKind, rows: Sequence[int]) -> list[Event]:
    return [Event(name, row, kind) for row in rows]


def states(harness: LedgerHarness, *names: str) -> list[Status]:
    return [harness.report(name).status for name in names]


def test_bounces_of_several_campaigns_together_pause_all_running_ones_of_the_account(harness: LedgerHarness) -> None:
    """Given three campaigns of which none has many bounces, and one of another account, when the bounces together pass
    the account's limit, then the account's campaigns are paused with the figures.
    """
    mailed(harness, "c1", "c2", "c3", "c4")
    harness.redis.hset(keys.campaign("c4"), "account", "news")
    events = of("c1", DELIVERED, range(1, 60)) + of("c2", DELIVERED, range(1, 41)) + of("c4", BOUNCED, range(1, 50))
    assert report_all(harness, [*events, *of("c1", BOUNCED, range(60, 63))]) == []
    words = "over all campaigns of the account default, 6 of 105 bounced within 24 h (5.7 %), the limit is 5 %"
    assert report_all(harness, of("c2", BOUNCED, range(60, 63))) == [words]
    assert states(harness, "c1", "c2", "c3", "c4") == [Status.PAUSED] * 3 + [Status.RUNNING]
    assert harness.report("c3").reason == f"brake: {words}"
    assert harness.redis.hgetall(keys.reputation("news")) != {}


def test_without_limits_nothing_is_counted(harness: LedgerHarness) -> None:
    mailed(harness, "c1")
    assert report_all(harness, of("c1", BOUNCED, range(1, 81)), limits=None) == []
    assert not harness.redis.exists(keys.reputation("default"))


@pytest.mark.parametrize("limits", [ACCOUNT._replace(bounce_pct=None), ACCOUNT._replace(after=161)])
def test_a_limit_that_is_off_or_far_away_pauses_nothing(harness: LedgerHarness, limits: AccountBrake) -> None:
    mailed(harness, "c1", "c2")
    events = of("c1", DELIVERED, range(1, 81)) + of("c2", BOUNCED, range(1, 81))
    assert report_all(harness, events, limits) == []


def test_without_deliveries_the_account_has_no_percentage(harness: LedgerHarness) -> None:
    mailed(harness, "c1", "c2")
    assert report_all(harness, of("c1", BOUNCED, range(1, 81)) + of("c2", BOUNCED, range(1, 81))) == []


def test_what_is_older_than_the_hours_does_not_count_and_memory_is_bounded(
    harness: LedgerHarness, clock: Clock
) -> None:
    mailed(harness, "c1", "c2")
    limits = ACCOUNT._replace(hours=1)
    for row in range(1, 81):
        report_all(harness, of("c1", DELIVERED, [row]), limits)
        clock.advance(3_600_000 // 8)
    assert harness.redis.hlen(keys.reputation("default")) <= 6
    assert report_all(harness, of("c2", BOUNCED, range(1, 81)), limits) == []  # 9 deliveries are left, below `after`
    clock.advance(2 * 3_600_000)
    assert report_all(harness, of("c2", COMPLAINED, [1]), limits) == []
    assert harness.redis.hlen(keys.reputation("default")) == 1


def test_repeated_events_do_not_count_for_the_account(harness: LedgerHarness) -> None:
    mailed(harness, "c1", "c2")
    events = of("c1", DELIVERED, range(1, 61)) + of("c2", DELIVERED, range(1, 31)) + of("c2", BOUNCED, range(31, 40))
    for _ in range(4):
        assert report_all(harness, [*reversed(events), *events]) == []


def test_accepting_starts_the_accounts_figures_anew_and_late_reports_do_not_count(harness: LedgerHarness) -> None:
    """Given an account's brake that has paused two campaigns, when one is resumed and the late bounces of both come,
    then it stays running; when the other is started without acceptance, it is refused.
    """
    mailed(harness, "c1", "c2")
    assert report_all(harness, of("c1", DELIVERED, range(1, 81)) + of("c2", BOUNCED, range(1, 31)))
    with pytest.raises(BrakeHolds, match="over all campaigns of the account default"):
        harness.controls.resume("c1")
    harness.controls.resume("c1", accept_brake=True)
    assert not harness.redis.exists(keys.reputation("default"))
    late = of("c1", BOUNCED, range(1, 81)) + of("c2", BOUNCED, range(1, 81)) + of("c2", DELIVERED, range(1, 81))
    assert report_all(harness, late) == []
    assert states(harness, "c1", "c2") == [Status.RUNNING, Status.PAUSED]
    with pytest.raises(BrakeHolds):
        harness.controls.resume("c2")


def test_a_campaign_that_starts_while_the_figures_are_above_the_limit_is_paused_with_the_next_event(
    harness: LedgerHarness,
) -> None:
    mailed(harness, "c1", "c2", "c3")
    assert report_all(harness, of("c1", DELIVERED, range(1, 81)) + of("c1", BOUNCED, range(1, 31)))
    mailed(harness, "c4", sent=0)
    harness.redis.hset(keys.campaign("c3"), "status", "completed")
    harness.redis.hdel(keys.campaign("c3"), "braked")
    assert report_all(harness, of("c3", DELIVERED, [1]))
    assert states(harness, "c4", "c3") == [Status.PAUSED, Status.COMPLETED]
